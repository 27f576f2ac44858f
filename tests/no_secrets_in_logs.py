"""`python -m tests.no_secrets_in_logs`: after the tests, no log of the stack holds a key, a token or a password."""

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from dotenv import dotenv_values

LOGS = Path(".dev/test/logs")
_SECRET_NAME = re.compile(r"PASSWORD|SECRET|TOKEN|_KEYS?$|PEPPER")
_SHAPES = {
    "an API key": re.compile(r"\bbud_(?:client|admin)_[A-Za-z0-9_-]{24,}"),
    "a token": re.compile(r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{20,}"),
}
_SHORTEST = 12


def secrets_of(env_file: Path) -> dict[str, str]:
    """Return the stack's own secrets by the name of their setting."""
    found = {name: value or "" for name, value in dotenv_values(env_file).items() if _SECRET_NAME.search(name)}
    return {name: value for name, value in found.items() if len(value) >= _SHORTEST}


def leaks(text: str, secrets: dict[str, str]) -> Iterator[str]:
    """Yield what the text holds and should not, without the secret itself."""
    for name, value in secrets.items():
        if value in text:
            yield name
    for name, shape in _SHAPES.items():
        if shape.search(text):
            yield name


def main() -> int:
    """Print each log with a secret in it; 1 where there is one, or nothing was searched."""
    secrets = secrets_of(Path(os.environ.get("BUDAPP_ENV_FILE", ".dev/test/.env")))
    files = sorted(LOGS.glob("*.log"))
    found = [f"{file}: {leak}" for file in files for leak in leaks(file.read_text(errors="replace"), secrets)]
    sys.stdout.write("".join(f"{line}\n" for line in found))
    return 1 if found or not files or not secrets else 0


if __name__ == "__main__":
    sys.exit(main())
