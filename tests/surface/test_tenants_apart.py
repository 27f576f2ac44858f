"""What another tenant has, or does, changes no answer: no list, number, search, conflict or message."""

import re
from typing import Any

import httpx
import pytest
from sqlalchemy import delete

from budapp.commons.database import Base
from budapp.commons.domain import components_of
from budapp.user_ops.callers import Callers
from tests.append_only import without_triggers
from tests.failures import failures
from tests.surface.callers import CALLERS
from tests.surface.requests import fill
from tests.surface.routes import Location
from tests.surface.scene import fingerprints
from tests.surface.surface import Surface, with_value
from tests.surface.test_access_matrix import SHARE_OF, read_matrix

CALLING = ("super_admin", "admin", "member", "reader", "client", "outsider")


def steady(answer: httpx.Response) -> tuple[int, Any]:
    """Return status and body, without what is new at every request: ids, times and API keys."""
    new = r"[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{32}|\d{4}-\d\d-\d\dT[\d:.]+(Z|\+00:00)|bud_[a-z]+_[\w*-]+"
    text = re.sub(new, "<new>", answer.text)
    return answer.status_code, re.sub(
        r'"(color|next_cursor|instance|url|authUrl|authorization_url|state|secret)":"[^"]*"|"(ended|created)":\d+',
        "<any>",
        text,
    )


async def empty_the_other_tenant(surface: Surface) -> None:
    """Take away all that the other tenant has, but for the tenant itself."""
    other = surface.scene.cast.other_tenant_id
    async with surface.database.engine.begin() as connection, without_triggers(connection):
        for table in reversed(Base.metadata.sorted_tables):
            if "tenant_id" in table.columns and table.name != "tenant_client":
                await connection.execute(delete(table).where(table.c.tenant_id == other))
    components_of(surface.app)[Callers].forget_all()


NEVER_THE_SAME = {
    "GET /audit/find-tampered": "counts entries, and whoever asks without the right leaves one",
    "GET /audit/export": "signed with the moment when it was made; its entries are those of GET /audit/records",
}


async def test_what_the_other_tenant_has_changes_no_answer(surface: Surface, reading: str) -> None:
    if reading in NEVER_THE_SAME:
        pytest.skip(NEVER_THE_SAME[reading])
    await surface.prepare(reading, "super_admin", surface.scene.here)
    request = fill(reading, surface.scene.here)
    with_them = [(await surface.send(request, caller)).text for caller in CALLING]
    await empty_the_other_tenant(surface)
    without_them = [(await surface.send(request, caller)).text for caller in CALLING]
    requests = r'"(request_id|last_used_at|last_updated)":"[^"]+"|X-Amz-[^"]+'
    assert [re.sub(requests, "", text) for text in with_them] == [re.sub(requests, "", text) for text in without_them]


@pytest.mark.parametrize("caller", ["super_admin", "client"])
async def test_the_same_done_by_the_other_tenant_changes_no_answer(surface: Surface, writing: str, caller: str) -> None:
    """Names, e-mails and whatever else must be unique may be the same in both: no conflict tells of the other."""
    first = steady(await surface.ask(writing, caller, surface.scene.here))
    await surface.restore()
    theirs = await surface.ask(writing, "other_admin", surface.scene.there)
    assert theirs.is_success, theirs.text
    assert steady(await surface.ask(writing, caller, surface.scene.here)) == first


def owner_of(operation: str) -> str:
    """Return who succeeds at the route by the matrix: the super administrator, or else the owner of what is private."""
    row = dict(zip(CALLERS, read_matrix(SHARE_OF[operation])[operation], strict=True))
    return "super_admin" if row["super_admin"].startswith("2") else "admin"


@pytest.mark.parametrize("is_here", [True, False])
async def test_a_write_touches_no_row_of_another_tenant(surface: Surface, of_tenant: str, is_here: bool) -> None:
    scene, cast = surface.scene, surface.scene.cast
    mine, other = (scene.here, cast.other_tenant_id) if is_here else (scene.there, cast.tenant_id)
    caller = owner_of(of_tenant) if is_here else "other_admin"
    before = await fingerprints(surface.database, other)
    assert (await surface.ask(of_tenant, caller, mine)).is_success
    assert await fingerprints(surface.database, other) == before


TEXTS = ("throw-away", "newcomer@example.com", "Atlas", "%", "_", "other")


async def test_a_search_finds_nothing_of_another_tenant(surface: Surface, searched: str) -> None:
    places = {str(place): place for place in surface.document.locations(searched) if place.part == "query"}
    request = with_value(fill(searched, surface.scene.here), Location("query", ("search",), {}), "true")
    fields = [places[name] for name in ("query:name", "query:email", "query:search_term") if name in places]
    await surface.prepare(searched, "super_admin", surface.scene.here)
    found = [await surface.send(with_value(request, field, text), "super_admin") for text in TEXTS for field in fields]
    await empty_the_other_tenant(surface)
    with failures() as failed:
        for answer in found:
            again = await surface.client.get(str(answer.request.url), headers=surface.scene.cast.admin.headers)
            with failed(str(answer.request.url)):
                assert again.json() == answer.json()
