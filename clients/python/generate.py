"""Write the part of the client that follows from docs/openapi.json: python clients/python/generate.py FOLDER."""

import json
import os
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
DOCUMENT = next(path for path in (HERE / "openapi.json", HERE.parents[1] / "docs" / "openapi.json") if path.exists())
"""The API; in a source distribution it lies beside this file."""


def generate(target: Path) -> None:
    """Fill the folder, which is made.

    Raises:
        subprocess.CalledProcessError: something in the document can't be expressed; what it is has been printed.
    """
    with tempfile.TemporaryDirectory() as folder:
        document = Path(folder) / "openapi.json"
        document.write_text(json.dumps(_without_errors(json.loads(DOCUMENT.read_text(encoding="utf-8")))))
        options = ["--meta=none", "--overwrite", "--fail-on-warning", f"--output-path={target}"]
        files = [
            f"--path={document}",
            f"--config={HERE / 'generator.yaml'}",
            f"--custom-template-path={HERE / 'templates'}",
        ]
        command = [sys.executable, "-m", "openapi_python_client", "generate", *files, *options]
        path = f"{sysconfig.get_path('scripts')}{os.pathsep}{os.environ['PATH']}"  # where ruff is
        subprocess.run(command, check=True, env=os.environ | {"PATH": path})


def _without_errors(document: dict[str, Any]) -> dict[str, Any]:
    """Leave out the answers that are raised as exceptions, so that functions return only what they promise."""
    for path in document["paths"].values():
        for operation in path.values():
            operation["responses"] = {
                status: answer for status, answer in operation["responses"].items() if status.startswith("2")
            }
    return document


if __name__ == "__main__":
    generate(Path(sys.argv[1]))
