"""The contracts of import-linter, from the list of domains. Run as a module, it checks them."""

import ast
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from importlinter.cli import lint_imports

ROOT = Path(__file__).resolve().parents[2]

_ABOVE = ("cli", "main", "glossary", "domains")
_BELOW = ("core", "integrations", "commons")
_INSIDE = ("domain", "commands", "routes", "services", "crud", "models")


def layers_of(package: Path) -> tuple[str, ...]:
    """Return the list of domains; importing it would import them all, which takes longer than checking."""
    tree = ast.parse((package / "domains.py").read_text())
    assigned = {ast.unparse(node.targets[0]): node.value for node in tree.body if isinstance(node, ast.Assign)}
    found: tuple[str, ...] = ast.literal_eval(assigned["LAYERS"])
    return found


def render(package: Path) -> str:
    """Return import-linter's configuration for the package `budapp` in that folder."""
    layers = layers_of(package)
    names = [name for layer in layers for name in layer.split(" | ")]
    contracts = [_layers(layers), _inside(names)]
    contracts += [
        _private(path, package) for path in sorted(package.glob("*/*crud.py")) if path.parent.name != "commons"
    ]
    return "\n".join(["[importlinter]", "root_package = budapp", "", *contracts])


def check(folder: Path) -> bool:
    """Tell whether the package `budapp` in the folder keeps the contracts; what it breaks is printed."""
    with tempfile.NamedTemporaryFile("w", suffix=".ini") as file:
        file.write(render(folder / "budapp"))
        file.flush()
        sys.path.insert(0, str(folder))
        return lint_imports(config_filename=file.name, no_cache=True) == 0


def _layers(layers: Sequence[str]) -> str:
    order = [*_ABOVE, *reversed(layers), *_BELOW]
    return _contract(
        "layers", "The domains, from the upper to the lower", containers=["budapp"], layers=order, exhaustive="true"
    )


def _inside(names: Sequence[str]) -> str:
    containers = [f"budapp.{name}" for name in names]
    layers = [f"({layer})" for layer in _INSIDE]
    return _contract("layers", "Inside a domain", containers=containers, layers=layers)


def _private(crud: Path, package: Path) -> str:
    module = ".".join(("budapp", *crud.relative_to(package).with_suffix("").parts))
    owner = module.rpartition(".")[0]
    return _contract("protected", f"{module} is private", protected_modules=[module], allowed_importers=[owner])


def _contract(kind: str, name: str, **options: str | Sequence[str]) -> str:
    lines = [f"[importlinter:contract:{name.replace(' ', '-')}]", f"name = {name}", f"type = {kind}"]
    for option, value in options.items():
        lines += (
            [f"{option} = {value}"] if isinstance(value, str) else [f"{option} =", *(f"    {one}" for one in value)]
        )
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    sys.exit(not check(ROOT))
