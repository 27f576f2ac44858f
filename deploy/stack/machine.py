"""What the tests run of the machine's own packages: Chromium with its driver, and PgBouncer."""

import os
import shutil
from pathlib import Path

from .console import StackError, Stopwatch, say
from .processes import run

_PROGRAMS = {
    "CHROMIUM": ("chromium", "chromium-browser", "google-chrome"),
    "CHROMEDRIVER": ("chromedriver",),
    "PGBOUNCER": ("pgbouncer",),
}
_PACKAGES = {"CHROMIUM": "chromium", "CHROMEDRIVER": "chromium-driver", "PGBOUNCER": "pgbouncer"}
_PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin"
"""Servers lie where not everybody looks."""


def ensure_programs(logs: Path) -> dict[str, str]:
    """Return where they are, as variables for the tests; installs what is missing where that is possible."""
    if missing := _PROGRAMS.keys() - _find().keys():
        _install([_PACKAGES[name] for name in sorted(missing)], logs)
    found = _find()
    if missing := _PROGRAMS.keys() - found.keys():
        raise StackError(f"Installed, but not on the PATH: {', '.join(sorted(missing)).lower()}.")
    return found


def _find() -> dict[str, str]:
    found = {
        variable: next(filter(None, (shutil.which(name, path=_PATH) for name in names)), None)
        for variable, names in _PROGRAMS.items()
    }
    return {variable: place for variable, place in found.items() if place}


def _install(packages: list[str], logs: Path) -> None:
    apt = shutil.which("apt-get")
    if apt is None or os.geteuid() != 0:
        raise StackError(
            "Some tests use programs of the machine's own packages. Install them, on Debian and Ubuntu with\n"
            f"  sudo apt-get install {' '.join(packages)}\nand run this again."
        )
    watch = Stopwatch()
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    run("Refreshing the package lists", [apt, "update"], logs / "apt-update.log", extra_env=quiet)
    install = [apt, "install", "-y", "--no-install-recommends", *packages]
    run(f"Installing {' '.join(packages)}", install, logs / "apt-install.log", extra_env=quiet)
    say(f"Installed {' '.join(packages)} {watch}")
