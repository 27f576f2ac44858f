"""The shares of all domains, in the order of `budapp/domains.py`: a domain's rows may refer to those of lower ones."""

from importlib import import_module
from pathlib import Path

from budapp.commons.domain import Domain, routes_of
from budapp.domains import DOMAINS, NAMES
from tests.surface.share import Share

_HERE = Path(__file__).parent


DOMAIN_OF: dict[str, Domain] = dict(zip(("core", *NAMES), DOMAINS, strict=True))


def _load(folder: Path) -> Share:
    found = import_module(f"tests.{folder.name}.surface").share
    if not isinstance(found, Share):
        raise TypeError(f"{folder}: share is not a Share")
    return found


def _collect() -> dict[Share, Path]:
    folders = (file.parent for file in _HERE.parent.glob("*/surface.py") if file.parent != _HERE)
    found = {_load(folder): folder for folder in folders}
    order = list(DOMAIN_OF)
    return dict(sorted(found.items(), key=lambda item: order.index(item[0].domain)))


FOLDERS = _collect()
"""Share → the folder of its domain's tests."""
SHARES = tuple(FOLDERS)


def operations_of(share: Share) -> set[str]:
    """Return the operations of the share's domain."""
    routes = routes_of([DOMAIN_OF[share.domain]])
    return {f"{method} {route.path_format}" for route in routes for method in route.methods or ()}
