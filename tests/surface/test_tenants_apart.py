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
from tests.surface.matrix import owner_of
from tests.surface.requests import fill
from tests.surface.routes import Location
from tests.surface.scene import fingerprints
from tests.surface.surface import Surface, with_value

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


async def test_what_the_other_tenant_has_changes_no_answer(surface: Surface, readings: list[str]) -> None:
    steady_ones = [reading for reading in readings if reading not in NEVER_THE_SAME]
    if not steady_ones:
        pytest.skip("; ".join(NEVER_THE_SAME[reading] for reading in readings))
    requests = {}
    for reading in steady_ones:
        await surface.prepare(reading, "super_admin", surface.scene.here)
        requests[reading] = fill(reading, surface.scene.here)

    async def answers() -> dict[tuple[str, str], str]:
        own = r'"(request_id|last_used_at|last_updated)":"[^"]+"|X-Amz-[^"]+'
        return {
            (reading, caller): re.sub(own, "", (await surface.send(request, caller)).text)
            for reading, request in requests.items()
            for caller in CALLING
        }

    with_them = await answers()
    await empty_the_other_tenant(surface)
    without_them = await answers()
    with failures() as failed:
        for case, text in with_them.items():
            with failed(" as ".join(case)):
                assert without_them[case] == text


async def changes_no_answer(surface: Surface, operation: str, caller: str) -> None:
    """Have the other tenant do the same before the caller does it."""
    first = steady(await surface.ask(operation, caller, surface.scene.here))
    await surface.restore()
    theirs = await surface.ask(operation, "other_admin", surface.scene.there)
    assert theirs.is_success, theirs.text
    assert steady(await surface.ask(operation, caller, surface.scene.here)) == first


async def test_the_same_done_by_the_other_tenant_changes_no_answer(surface: Surface, writing: str) -> None:
    """Names, e-mails and whatever else must be unique may be the same in both: no conflict tells of the other."""
    await changes_no_answer(surface, writing, "super_admin")


async def test_the_same_done_by_the_other_tenant_changes_no_answer_to_clients(
    surface: Surface, writing_of_client: str
) -> None:
    await changes_no_answer(surface, writing_of_client, "client")


async def touches_none_of_the_other(surface: Surface, operations: list[str], *, is_here: bool) -> None:
    """Succeed with the operations in one tenant, and find all rows of the other as they were."""
    scene, cast = surface.scene, surface.scene.cast
    mine, other = (scene.here, cast.other_tenant_id) if is_here else (scene.there, cast.tenant_id)
    before = await fingerprints(surface.database, other)
    for operation in operations:
        answer = await surface.ask(operation, owner_of(operation) if is_here else "other_admin", mine)
        assert answer.is_success, answer.text
    assert await fingerprints(surface.database, other) == before


@pytest.mark.parametrize("is_here", [True, False])
async def test_a_write_touches_no_row_of_another_tenant(surface: Surface, writing: str, is_here: bool) -> None:
    await touches_none_of_the_other(surface, [writing], is_here=is_here)


@pytest.mark.parametrize("is_here", [True, False])
async def test_reading_touches_no_row_of_another_tenant(surface: Surface, readings: list[str], is_here: bool) -> None:
    await touches_none_of_the_other(surface, readings, is_here=is_here)


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
