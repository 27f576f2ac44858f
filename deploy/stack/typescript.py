"""The API's types for TypeScript: generated from docs/openapi.json, checked by the compiler; only for tests."""

from pathlib import Path

from .files import cached, digest
from .node import modules, node, pins
from .processes import Command, run
from .python_env import Workshop
from .settings import ROOT

_FOLDER = ROOT / "clients" / "typescript"
_TYPES = "types.ts"


def api_types(shop: Workshop) -> Path:
    """Return the file with the types, generated and checked now where the document has changed."""
    document = ROOT / "docs" / "openapi.json"
    target = shop.cache / f"api-types-{digest(*pins(_FOLDER), document)}"
    return cached(target, _TYPES, lambda folder: _generate(shop, document, folder), again=shop.again) / _TYPES


def _generate(shop: Workshop, document: Path, folder: Path) -> None:
    program, packages = node(shop), modules(shop, _FOLDER)
    log, types = shop.logs / "build-types.log", folder / _TYPES
    generate: Command = [program, packages / "openapi-typescript" / "bin" / "cli.js", document, "--output", types]
    run("Generating types for TypeScript", generate, log)
    check: Command = [program, packages / "typescript" / "bin" / "tsc", "--noEmit", "--strict", types]
    run("Checking the types for TypeScript", check, log)
