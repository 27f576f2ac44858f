"""Plant each defect of the table in a copy of the project, run its tests there, and say which were found.

`python -m tests.mutants` tries all, `python -m tests.mutants signing tokens` those whose name holds one of the words.
The test stack must run, and `BUDAPP_ENV_FILE` name its settings.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.mutants.table import MUTANTS, Mutant

_ROOT = Path(__file__).resolve().parents[2]
_COPIED = ("alembic", "budapp", "deploy", "docs", "tests", "benchmarks")
_FILES = ("alembic.ini", "pyproject.toml", ".env.sample", "README.md")
_SECONDS = 900


def main(words: list[str]) -> int:
    """Try the mutants, and return 1 where one was not found."""
    chosen = [mutant for mutant in MUTANTS if not words or any(word in mutant.name for word in words)]
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        copy = Path(folder)
        _copy_to(copy)
        missed = [mutant for mutant in chosen if not _is_found(copy, mutant)]
    _say(f"{len(chosen) - len(missed)} of {len(chosen)} found")
    return 1 if missed else 0


def _copy_to(copy: Path) -> None:
    for name in _COPIED:
        shutil.copytree(_ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in _FILES:
        shutil.copy(_ROOT / name, copy)


def _is_found(copy: Path, mutant: Mutant) -> bool:
    file = copy / mutant.file
    text = file.read_text()
    file.write_text(text.replace(mutant.before, mutant.after))
    try:
        code = _tested(copy, mutant.tests)
    finally:
        file.write_text(text)
    found = code in {1, None}
    _say(f"{'found' if found else f'NOT FOUND (pytest: {code})':10} {mutant.name}")
    return found


def _tested(copy: Path, tests: tuple[str, ...]) -> int | None:
    """Return pytest's exit code: 1 where a test failed; None where it took too long, as an endless loop does."""
    settings = Path(os.environ.get("BUDAPP_ENV_FILE", _ROOT / ".env")).absolute()
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-n0", "-p", "no:cacheprovider", *tests]
    try:
        done = subprocess.run(
            command,
            cwd=copy,
            env=os.environ | {"BUDAPP_ENV_FILE": str(settings)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None
    return done.returncode


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
