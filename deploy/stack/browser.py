"""The browser of the tests: Chromium and its driver, from the machine's own packages."""

import os
import shutil
from pathlib import Path

from .console import StackError, Stopwatch, say
from .processes import run

_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_DRIVER = "chromedriver"
_PACKAGES = ("chromium", "chromium-driver")


def ensure_browser(logs: Path) -> dict[str, str]:
    """Return where the browser and its driver are, as variables for the tests; installs them where that is possible."""
    found = _find()
    if found is None:
        _install(logs)
        found = _find()
    if found is None:
        raise StackError("Chromium was installed, but neither it nor chromedriver is on the PATH.")
    return found


def _find() -> dict[str, str] | None:
    browser = next(filter(None, map(shutil.which, _BROWSERS)), None)
    driver = shutil.which(_DRIVER)
    return {"CHROMIUM": browser, "CHROMEDRIVER": driver} if browser and driver else None


def _install(logs: Path) -> None:
    packages = " ".join(_PACKAGES)
    apt = shutil.which("apt-get")
    if apt is None or os.geteuid() != 0:
        raise StackError(
            "Some tests use a browser. Install Chromium and chromedriver, on Debian and Ubuntu with\n"
            f"  sudo apt-get install {packages}\nand run this again."
        )
    watch = Stopwatch()
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    run("Refreshing the package lists", [apt, "update"], logs / "apt-update.log", extra_env=quiet)
    install = [apt, "install", "-y", "--no-install-recommends", *_PACKAGES]
    run("Installing Chromium", install, logs / "apt-install.log", extra_env=quiet)
    say(f"Chromium installed {watch}")
