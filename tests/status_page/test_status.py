"""The page that says how the service is."""

import re

import httpx
from sqlalchemy import text

from budapp.commons.database import Database
from tests.cast import Cast

_DEAD = """
    insert into outbox_message (id, created_at, modified_at, aggregate, kind, target, attempts, last_error, dead_at,
                                next_attempt_at)
    values (gen_random_uuid(), now(), now(), 'x', 'publish', '<b>topic</b>', 9, '<script>alert(1)</script>', now(),
            now())
"""


async def test_the_page_says_what_waits_and_what_failed(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    async with database.write() as session:
        await session.execute(text(_DEAD))
    answer = await client.get("/status", headers=cast.admin.headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/html")
    page = answer.text
    for expected in ("postgresql", "Messages given up", "Entries of the gateway", "What failed last", "budapp 0."):
        assert expected in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert not re.search(r"<script|src=|href=", page)
    assert re.search(r"Messages given up</td><td><span class=bad>1<", page)


async def test_nobody_else_sees_it(client: httpx.AsyncClient, cast: Cast) -> None:
    for person in (cast.manager, cast.developer, cast.client, cast.other_admin):
        assert (await client.get("/status", headers=person.headers)).status_code == 403
    assert (await client.get("/status")).status_code == 401
