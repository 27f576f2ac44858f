"""A service account tries every route: it gets what the access matrix says of an administrator, or nothing.

What a route does not declare open to service accounts is closed to them, whatever their role.
"""

from uuid import UUID

import pytest

from budapp.commons.access import access_of, takes_service_accounts
from tests.cast import Person
from tests.surface.matrix import expected_at
from tests.surface.requests import REQUESTS, fill
from tests.surface.routes import ROUTES
from tests.surface.share import RequestContext, Things, Valid
from tests.surface.surface import Surface

CLOSED = ("users", "roles", "permissions", "credentials", "billing", "auth", "audit", "tenants", "service-accounts")
"""How paths begin that are never open to service accounts."""

OF_OTHERS = {
    "DELETE /workflows/{workflow_id}",
    "GET /clusters/recommended/{workflow_id}",
    "GET /workflows/{workflow_id}",
    "PATCH /workflows/{workflow_id}",
    "POST /models/cancel-quantization",
    "POST /workflows/{workflow_id}/retry",
}
"""About workflows that the administrator of the matrix has started."""


def service_of(surface: Surface) -> Person:
    things = surface.scene.here
    tokens = {"access_token": things["service_key"]}
    return Person(UUID(things["account_id"]), surface.scene.cast.tenant_id, "", tokens)


def expected_of(operation: str) -> str:
    """Return the status that the matrix has for an administrator, or the refusal of who comes with a key."""
    row = expected_at(operation)
    if takes_service_accounts(ROUTES[operation]):
        return "404" if operation in OF_OTHERS else row["admin"]
    access = access_of(ROUTES[operation])
    assert access is not None
    return "403" if access.kind in {"permission", "signed in"} else row["admin"]


async def prepare(surface: Surface, operation: str, person: Person, things: Things) -> None:
    """Make what the request is about, unless it is refused before anybody looks."""
    valid = REQUESTS.get(operation, Valid())
    if takes_service_accounts(ROUTES[operation]) and valid.prepare is not None:
        await valid.prepare(RequestContext(surface.app, surface.realms, surface.scene, person, things))
    elif expected_of(operation) != "403":
        await surface.prepare(operation, "admin", things)


@pytest.mark.parametrize("operation", sorted(ROUTES))
async def test_a_service_account_gets_what_is_declared(surface: Surface, operation: str) -> None:
    person, things = service_of(surface), surface.scene.here
    await prepare(surface, operation, person, things)
    answer = await surface.send(fill(operation, things), "admin", person)
    assert str(answer.status_code) == expected_of(operation), answer.text


def test_people_rights_and_keys_are_never_open() -> None:
    opened = [name for name, route in ROUTES.items() if takes_service_accounts(route)]
    assert len(opened) > 40
    assert not [name for name in opened if name.partition(" /")[2].split("/")[0] in CLOSED]
    assert not [name for name in opened if "users" in name]
