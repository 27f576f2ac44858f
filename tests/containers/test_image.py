"""What the Dockerfile copies reaches the build, and makes an image in which the commands work."""

import os
import shlex
import shutil
import subprocess
import sys
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

import pytest

VARIANTS = ("app", "peers")
"""The values of the Dockerfile's REQUIREMENTS."""


def instructions(root: Path, name: str) -> list[list[str]]:
    """The words of each instruction of a kind."""
    text = (root / "Dockerfile").read_text().replace("\\\n", " ")
    lines = (line.split(None, 1) for line in text.splitlines() if line and not line.startswith("#"))
    return [shlex.split(rest) for instruction, rest in lines if instruction == name]


def copied(root: Path, requirements: str) -> list[tuple[list[str], str]]:
    """What comes from the checkout, and where it goes."""
    result = []
    for words in instructions(root, "COPY"):
        if not words[0].startswith("--from="):
            *sources, target = (word.replace("${REQUIREMENTS}", requirements) for word in words)
            result.append((sources, target))
    return result


def admitted(root: Path, path: str) -> bool:
    """Return whether .dockerignore lets a file through: its last pattern that names it, or a folder above, decides."""
    parts = PurePosixPath(path)
    names = [str(parts), *(str(parent) for parent in parts.parents if str(parent) != ".")]
    let_through = True
    for line in (root / ".dockerignore").read_text().splitlines():
        pattern = line.removeprefix("!")
        if not pattern or pattern.startswith("#"):
            continue
        tail = pattern.removeprefix("**/")
        if any(fnmatchcase(name, tail) or (tail != pattern and fnmatchcase(Path(name).name, tail)) for name in names):
            let_through = line.startswith("!")
    return let_through


def files(root: Path, source: str) -> list[str]:
    """The files that git has under a path."""
    listed = subprocess.run(["git", "ls-files", source], cwd=root, check=True, capture_output=True, text=True)
    return listed.stdout.split()


@pytest.mark.parametrize("requirements", VARIANTS)
def test_everything_that_is_copied_is_there_and_let_through(root: Path, requirements: str) -> None:
    for sources, _target in copied(root, requirements):
        for source in sources:
            found = files(root, source)
            assert found, f"{source} is not there"
            assert [file for file in found if not admitted(root, file)] == []


def test_secrets_and_what_is_not_needed_stay_out(root: Path) -> None:
    for path in (".env", ".git/config", ".venv/bin/python", "tests/cast.py", "budapp/cli/__pycache__/main.pyc"):
        assert not admitted(root, path), path


def test_the_image_has_the_command_and_the_migrations(root: Path, tmp_path: Path) -> None:
    """The last stage is put together here, with this environment's packages in the place of the image's."""
    for sources, target in copied(root, "app")[1:]:
        for source in sources:
            place = tmp_path / source if target == "./" else tmp_path / target
            if (root / source).is_dir():
                shutil.copytree(root / source, place)  # with what is compiled already
            else:
                shutil.copy(root / source, place)
    (path,) = [word for words in instructions(root, "ENV") for word in words if word.startswith("PATH=")]
    folders = path.removeprefix("PATH=").replace("/app/.venv/bin", str(Path(sys.executable).parent))
    environment = {"PATH": folders.replace("/app", str(tmp_path)).replace("$PATH", os.environ["PATH"])}
    (words,) = instructions(root, "ENTRYPOINT")
    entrypoint = words[0].strip("[],")
    done = subprocess.run([entrypoint, "--help"], cwd="/", env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "migrate" in done.stdout
    assert {"alembic.ini", "alembic", "budapp"} <= {path.name for path in tmp_path.iterdir()}  # where `migrate` looks
