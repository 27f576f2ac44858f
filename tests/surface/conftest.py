from collections.abc import Callable

import pytest

from budapp.commons.access import access_of
from budapp.commons.scopes import Scope
from tests.surface.matrix import succeeds
from tests.surface.requests import REQUESTS
from tests.surface.routes import ROUTES, document
from tests.surface.share import Valid
from tests.surface.shares import SHARES, operations_of


def _of_a_tenant(operation: str) -> bool:
    """Tell whether the route acts for a tenant's people: the others know nobody's tenant, or are for all tenants."""
    access = access_of(ROUTES[operation])
    return access is not None and access.kind in {"signed in", "permission"} and not _of_the_platform(operation)


def _of_the_platform(operation: str) -> bool:
    """Tell whether the route is for those who run the platform, and so reaches every tenant."""
    access = access_of(ROUTES[operation])
    return access is not None and access.scope == Scope.TENANT_MANAGE


KINDS: dict[str, Callable[[str], bool]] = {
    "operation": lambda operation: True,
    "with_places": lambda operation: bool(document().locations(operation)),
    "with_ids": lambda operation: (
        not _of_the_platform(operation) and any(place.takes_id for place in document().locations(operation))
    ),
    "reading": lambda operation: operation.startswith("GET ") and _of_a_tenant(operation),
    "writing": lambda operation: not operation.startswith("GET ") and _of_a_tenant(operation),
    "writing_of_client": lambda operation: KINDS["writing"](operation) and succeeds(operation, "client"),
    "with_body": lambda operation: KINDS["writing"](operation) and ROUTES[operation].body_field is not None,
    "searched": lambda operation: KINDS["reading"](operation) and document().takes(operation, "query:search"),
    "sorted_list": lambda operation: KINDS["reading"](operation) and document().takes(operation, "query:order_by"),
    "filtered": lambda operation: KINDS["paged"](operation) and bool(document().filters(operation)),
    "paged": lambda operation: KINDS["reading"](operation) and document().takes(operation, "query:cursor"),
}
"""Name that a test asks for → which operations it runs for, once each."""

TELLS_OF_REQUESTS = {"audit_ops"}
"""Domains whose answers differ by what was asked before."""


def _readings() -> dict[str, list[str]]:
    """Return what reads, by domain; a route that tells of requests, or needs something prepared, by itself."""
    found: dict[str, list[str]] = {}
    for share in SHARES:
        for operation in sorted(filter(KINDS["reading"], operations_of(share))):
            alone = share.domain in TELLS_OF_REQUESTS or REQUESTS.get(operation, Valid()).prepare is not None
            found.setdefault(operation if alone else share.domain, []).append(operation)
    return found


READINGS = _readings()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "readings" in metafunc.fixturenames:
        metafunc.parametrize("readings", READINGS.values(), ids=READINGS)
    for name, wanted in KINDS.items():
        if name in metafunc.fixturenames:
            metafunc.parametrize(name, sorted(filter(wanted, ROUTES)))
