"""Where one stack keeps its things, and the values of its `.env` file."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from . import env_file
from .console import StackError

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
SAMPLE = ROOT / ".env.sample"
DEV_STATE = ROOT / ".dev"

# What a supervised process gets to see of the user's own environment.
_PASSED_ON = {"HOME", "LANG", "LOGNAME", "PATH", "SHELL", "TERM", "TMPDIR", "TZ", "USER"}
_PASSED_ON_PREFIXES = ("LC_", "SSL_CERT_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")


@dataclass(frozen=True)
class Settings:
    """One stack: the development stack or the test stack of this checkout."""

    values: Mapping[str, str]
    env_file: Path
    state: Path
    for_tests: bool = False
    missing: Mapping[str, str] = field(default_factory=dict)
    """What the sample has and the file has not: an older file goes on working."""

    @property
    def logs(self) -> Path:
        """The folder of all logs."""
        return self.state / "logs"

    @property
    def name(self) -> str:
        """What messages call this stack."""
        return "test stack" if self.for_tests else "development stack"

    def __getitem__(self, name: str) -> str:
        """Return a variable that the stack cannot do without."""
        value = self.values.get(name)
        if not value:
            raise StackError(f"{name} is not set in {shown(self.env_file)}; {shown(SAMPLE)} shows how it looks.")
        return value

    def port(self, name: str) -> int:
        """Return a port number."""
        text = self[name]
        if not (text.isdigit() and 0 < int(text) <= env_file.HIGHEST_PORT):
            raise StackError(f"{name}={text} in {shown(self.env_file)} is not a port number.")
        return int(text)


def load(*, for_tests: bool = False) -> Settings:
    """Read the settings of a stack; there are no values where it has no `.env` file yet."""
    state = DEV_STATE / "test" if for_tests else DEV_STATE
    path = state / ".env" if for_tests else ROOT / ".env"
    if not path.exists():
        return Settings({}, path, state, for_tests)
    values = env_file.read(SAMPLE, path)
    missing = {name: values[name] for name in sorted(env_file.names(SAMPLE) - env_file.names(path))}
    return Settings(values, path, state, for_tests, missing)


def cache_folder() -> Path:
    """Return the folder outside the checkout that keeps what was built or downloaded."""
    if chosen := os.environ.get("BUDAPP_CACHE_DIR"):
        return Path(chosen).absolute()
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "budapp"


def clean_environment() -> dict[str, str]:
    """Return the environment for supervised processes: no variable of the user's shell changes what they do."""
    return {
        name: value
        for name, value in os.environ.items()
        if name in _PASSED_ON or name.upper().startswith(_PASSED_ON_PREFIXES)
    }


def shown(path: Path) -> str:
    """Return a path the way the user would type it."""
    try:
        relative = os.path.relpath(path)
    except ValueError:
        return str(path)
    return str(path) if relative.startswith("../..") else relative


def python_tag() -> str:
    """Return what an environment made by this interpreter depends on."""
    return f"{sys.version_info.major}.{sys.version_info.minor}-{sys.base_prefix}"
