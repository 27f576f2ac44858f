"""Generates the client when the package is built, so that it is never older than the API's document."""

import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class GenerateClient(BuildHookInterface[Any]):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write the generated part into the tree; an editable installation needs it there too."""
        target = Path(self.root) / "src" / "budapp_client" / "rest"
        if self.target_name == "sdist":
            return
        if target.is_symlink():
            target.unlink()
        subprocess.run([sys.executable, Path(self.root) / "generate.py", target], check=True)
