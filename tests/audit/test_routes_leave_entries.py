"""Every route that changes something leaves an entry; each domain says in its share which, or why there is none."""

import pytest

from budapp.audit.models import AuditEntry
from budapp.commons.access import access_of
from tests.audit.data import entries
from tests.surface.requests import fill
from tests.surface.routes import ROUTES
from tests.surface.share import Audited
from tests.surface.shares import SHARES
from tests.surface.surface import Surface

AUDITED: dict[str, Audited] = {name: entry for share in SHARES for name, entry in share.audited.items()}
CHANGES_NOTHING = {name for share in SHARES for name in share.changes_nothing}


def test_every_route_that_may_change_something_is_declared_once() -> None:
    declared = sorted([*AUDITED, *CHANGES_NOTHING])
    assert declared == sorted(name for name in ROUTES if not name.startswith("GET "))


@pytest.mark.parametrize("operation", AUDITED)
async def test_a_request_that_succeeds_leaves_an_entry(surface: Surface, operation: str) -> None:
    audited, things = AUDITED[operation], surface.scene.here
    access = access_of(ROUTES[operation])
    caller = "nobody" if access is not None and access.kind == "public" else "super_admin"
    person = await surface.prepare(operation, caller, things)
    before = {entry.id for entry in await entries(surface.database)}
    answer = await surface.send(fill(operation, things, audited.request), caller, person)
    assert answer.is_success, answer.text
    wanted = (AuditEntry.action == audited.action, AuditEntry.resource_type == audited.resource_type)
    made = [entry for entry in await entries(surface.database, *wanted) if entry.id not in before]
    assert made
    assert all(entry.tenant_id and entry.user_id for entry in made)
