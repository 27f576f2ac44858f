"""Python packages: uv itself, wheels that carry programs, and the project's own `.venv`."""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from .console import StackError, Stopwatch, say
from .files import cached, digest, locked
from .processes import Command, run
from .settings import DEPLOY, DEV_STATE, ROOT, python_tag

PROJECT_ENVIRONMENT = ROOT / ".venv"
PROJECT_PYTHON = PROJECT_ENVIRONMENT / "bin" / "python"
LOCKS = DEPLOY / "requirements"


@dataclass(frozen=True)
class Workshop:
    """Where things are made: the cache, the logs, and whether to make again what is there."""

    cache: Path
    logs: Path
    again: bool = False


def answers(*command: str | Path) -> bool:
    """Return whether a command runs and succeeds."""
    try:
        done = subprocess.run([str(word) for word in command], capture_output=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def uv(shop: Workshop) -> Path:
    """Return a uv that works: the user's own, or one from the registry."""
    own = shutil.which("uv")
    if own and answers(own, "--version"):
        return Path(own)
    lock = LOCKS / "uv.txt"
    target = shop.cache / f"uv-{digest(lock)}"
    return cached(target, "bin/uv", lambda folder: _fetch_uv(shop, lock, folder)) / "bin" / "uv"


def _fetch_uv(shop: Workshop, lock: Path, folder: Path) -> None:
    if not answers(sys.executable, "-m", "pip", "--version"):
        raise StackError(
            f"There is neither uv nor pip for {sys.executable}. Install one of them "
            "(on Debian as root: apt-get install python3-pip) and run this again."
        )
    say("Installing uv")
    pip: Command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--require-hashes",
        "--target",
        folder,
        "-r",
        lock,
    ]
    run("Installing uv", pip, shop.logs / "build-uv.log")


def wheels(shop: Workshop, name: str) -> Path:
    """Return the site-packages folder of an environment that holds what `requirements/<name>.txt` pins."""
    lock = LOCKS / f"{name}.txt"
    target = shop.cache / f"{name}-{digest(lock, python_tag())}"
    cached(target, "bin/python", lambda folder: _make_wheels(shop, lock, folder))
    return next((target / "lib").glob("python*/site-packages"))


def python_of(packages: Path) -> Path:
    """Return the interpreter of the environment that a site-packages folder belongs to."""
    return packages.parents[2] / "bin" / "python"


def _make_wheels(shop: Workshop, lock: Path, folder: Path) -> None:
    say(f"Installing the wheels of {lock.name}")
    tool, log = uv(shop), shop.logs / f"build-{lock.stem}.log"
    venv: Command = [tool, "venv", "--clear", "--python", sys.executable, folder]
    run("Making an environment", venv, log)
    install: Command = [tool, "pip", "sync", "--python", folder / "bin" / "python", "--require-hashes", lock]
    run(f"Installing {lock.name}", install, log)


def project(shop: Workshop) -> None:
    """Bring `.venv` in line with the lock file; nothing happens where it already is."""
    lock = LOCKS / "dev.txt"
    mark = PROJECT_ENVIRONMENT / ".installed"
    wanted = digest(lock, ROOT / "pyproject.toml", ROOT)
    with locked(DEV_STATE / "venv.lock", "another process that makes the Python environment"):
        works = answers(PROJECT_PYTHON, "--version")
        if works and mark.is_file() and mark.read_text() == wanted and not shop.again:
            return
        watch = Stopwatch()
        say("Making the Python environment .venv")
        _make_project(shop, lock, works=works)
        mark.write_text(wanted)
        say(f"Python environment ready {watch}")


def _make_project(shop: Workshop, lock: Path, *, works: bool) -> None:
    tool, log = uv(shop), shop.logs / "build-venv.log"
    if not works:
        venv: Command = [tool, "venv", "--clear", "--python", sys.executable, PROJECT_ENVIRONMENT]
        run("Making the Python environment", venv, log)
    sync: Command = [tool, "pip", "sync", "--python", PROJECT_PYTHON, "--require-hashes", lock]
    run("Installing what budapp needs", sync, log)
    editable: Command = [tool, "pip", "install", "--python", PROJECT_PYTHON, "--no-deps", "--editable", ROOT]
    run("Installing budapp into its environment", editable, log)
