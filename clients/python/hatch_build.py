"""Generates the client when the package is built, so that it is never older than the API's document."""

from pathlib import Path
from typing import Any

from generate import generate
from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class GenerateClient(BuildHookInterface[Any]):
    def initialize(self, version: str, _build_data: dict[str, Any]) -> None:
        """Write the generated part into the tree; an editable installation needs it there too."""
        target = Path(self.root) / "src" / "budapp_client" / "rest"
        if self.target_name != "sdist":
            target.unlink() if target.is_symlink() else None
            generate(target)
