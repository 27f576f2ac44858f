"""Programs that only tests run: the machine's own, or those of Debian's packages, which are not installed for them."""

import os
import shutil
from pathlib import Path

from .console import StackError, Stopwatch, say
from .files import cached
from .processes import run
from .python_env import Workshop


def promtool(shop: Workshop) -> Path:
    """Return where promtool is, which checks and tries alert rules."""
    return _program(shop, "promtool", "prometheus")


def rclone(shop: Workshop) -> Path:
    """Return where rclone is, which copies object stores."""
    return _program(shop, "rclone", "rclone")


def _program(shop: Workshop, name: str, package: str) -> Path:
    """Return where the program is; the package that holds it is unpacked into the cache."""
    own = shutil.which(name)
    if own is not None:
        return Path(own)
    target, product = shop.cache / name, f"usr/bin/{name}"
    cached(target, product, lambda folder: _unpack(shop, name, package, folder), again=shop.again)
    return target / product


def _unpack(shop: Workshop, name: str, package: str, folder: Path) -> None:
    apt, dpkg = shutil.which("apt-get"), shutil.which("dpkg-deb")
    if apt is None or dpkg is None:
        raise StackError(f"Some tests run {name}. Put it on the PATH.")
    watch, log = Stopwatch(), shop.logs / f"{name}.log"
    if os.geteuid() == 0:
        run("Refreshing the package lists", [apt, "update"], shop.logs / "apt-update.log")
    run(f"Downloading {name}", [apt, "download", package], log, cwd=folder)
    [archive] = folder.glob("*.deb")
    run(f"Unpacking {name}", [dpkg, "-x", archive, folder], log)
    archive.unlink()
    say(f"{name} ready {watch}")
