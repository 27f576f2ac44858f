"""promtool, which checks and tries alert rules: the machine's own, or that of its distribution's package."""

import os
import shutil
from pathlib import Path

from .console import StackError, Stopwatch, say
from .files import cached
from .processes import run
from .python_env import Workshop

_PACKAGE = "prometheus"


def promtool(shop: Workshop) -> Path:
    """Return where promtool is; the package that holds it is unpacked into the cache, and not installed."""
    own = shutil.which("promtool")
    if own is not None:
        return Path(own)
    target = shop.cache / "promtool"
    cached(target, "promtool", lambda folder: _unpack(shop, folder), again=shop.again)
    return target / "usr/bin/promtool"


def _unpack(shop: Workshop, folder: Path) -> None:
    apt, dpkg = shutil.which("apt-get"), shutil.which("dpkg-deb")
    if apt is None or dpkg is None:
        raise StackError("Some tests try alert rules. Put promtool, which comes with Prometheus, on the PATH.")
    watch = Stopwatch()
    if os.geteuid() == 0:
        run("Refreshing the package lists", [apt, "update"], shop.logs / "apt-update.log")
    download = [apt, "download", _PACKAGE]
    run("Downloading promtool", download, shop.logs / "promtool.log", cwd=folder)
    [package] = folder.glob("*.deb")
    run("Unpacking promtool", [dpkg, "-x", package, folder], shop.logs / "promtool.log")
    package.unlink()
    say(f"promtool ready {watch}")
