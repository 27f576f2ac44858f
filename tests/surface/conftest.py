from collections.abc import Callable

import pytest

from budapp.commons.access import access_of
from budapp.commons.scopes import Scope
from tests.surface.routes import ROUTES, document


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
    "of_tenant": _of_a_tenant,
    "reading": lambda operation: operation.startswith("GET ") and _of_a_tenant(operation),
    "writing": lambda operation: not operation.startswith("GET ") and _of_a_tenant(operation),
    "with_body": lambda operation: KINDS["writing"](operation) and ROUTES[operation].body_field is not None,
    "searched": lambda operation: KINDS["reading"](operation) and document().takes(operation, "query:search"),
    "sorted_list": lambda operation: KINDS["reading"](operation) and document().takes(operation, "query:order_by"),
    "paged": lambda operation: KINDS["reading"](operation) and document().takes(operation, "query:cursor"),
}
"""Name that a test asks for → which operations it runs for, once each."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    for name, wanted in KINDS.items():
        if name in metafunc.fixturenames:
            metafunc.parametrize(name, sorted(filter(wanted, ROUTES)))
