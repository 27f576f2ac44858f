"""The trail as people see it."""

import asyncio
import csv
import io
import json
from collections.abc import MutableMapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.requests import ClientDisconnect

from budapp.audit.models import AuditEntry
from budapp.audit_ops.export import BadExport, verify_export
from budapp.commons.database import Database
from budapp.user_ops.models import UserPermission
from tests.audit.data import by_hand, entries
from tests.cast import Cast, Person
from tests.projects.data import add, create
from tests.statements import Statements


async def records(client: httpx.AsyncClient, person: Person, **query: Any) -> dict[str, Any]:
    answer = await client.get("/audit/records", params=query, headers=person.headers)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def test_a_record_has_the_fields_that_clients_read(client: httpx.AsyncClient, cast: Cast) -> None:
    project = await create(client, cast.manager)
    await client.patch(f"/projects/{project['id']}", json={"name": "Boreas"}, headers=cast.manager.headers)
    body = await records(client, cast.admin, action="update", resource_type="project")
    assert (body["object"], body["total_record"]) == ("audit.record.list", 1)
    record = body["data"][0]
    assert (record["actioned_by_email"], record["resource_name"]) == (cast.manager.email, "Boreas")
    assert record["details"]["changes"] == {"name": {"old": "Atlas", "new": "Boreas"}}
    one = (await client.get(f"/audit/records/{record['id']}", headers=cast.admin.headers)).json()
    assert (one["object"], one["data"]) == ("audit.record", record)


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({"resource_name": "atl"}, 1),
        ({"search": "ATLAS"}, 1),
        ({"search": "127.0.0"}, 2),
        ({"ip_address": "127.0.0.1", "resource_type": "project"}, 1),
        ({"start_date": "2999-01-01T00:00:00"}, 0),
        ({"end_date": "2000-01-01T00:00:00Z"}, 0),
        ({"action": "delete"}, 0),
    ],
)
async def test_filters(client: httpx.AsyncClient, cast: Cast, query: dict[str, str], count: int) -> None:
    await create(client, cast.manager)
    assert (await records(client, cast.admin, **query))["total_record"] == count


async def test_cursors_and_filters_by_person(client: httpx.AsyncClient, cast: Cast) -> None:
    for name in ("one", "two", "three"):
        await create(client, cast.manager, name=name)
    query = {"actioned_by": str(cast.manager.id), "resource_type": "project", "limit": 2}
    first = await records(client, cast.admin, **query)
    second = await records(client, cast.admin, **query, cursor=first["next_cursor"])
    assert [row["resource_name"] for row in first["data"] + second["data"]] == ["three", "two", "one"]


@pytest.mark.parametrize("query", [{"limit": 101}, {"limit": 0}, {"action": "dance"}, {"search": "\0"}])
async def test_bad_filters_are_422(client: httpx.AsyncClient, cast: Cast, query: dict[str, Any]) -> None:
    answer = await client.get("/audit/records", params=query, headers=cast.admin.headers)
    assert answer.status_code == 422


@pytest.mark.parametrize("name", ["client", "developer"])
async def test_who_manages_no_users_sees_only_what_concerns_them(
    client: httpx.AsyncClient, cast: Cast, database: Database, name: str
) -> None:
    person: Person = getattr(cast, name)
    await create(client, cast.manager)
    await client.patch(f"/users/{person.id}", json={"name": "Myself"}, headers=person.headers)
    body = await records(client, person)
    assert body["data"]
    assert all(str(person.id) in {row["user_id"], row["actioned_by"]} for row in body["data"])
    (foreign,) = await entries(database, AuditEntry.resource_type == "project")
    assert (await client.get(f"/audit/records/{foreign.id}", headers=person.headers)).status_code == 404
    summary = (await client.get("/audit/summary", headers=person.headers)).json()["data"]
    assert summary["total_records"] == body["total_record"]
    file = await client.get("/audit/records", params={"export_csv": True}, headers=person.headers)
    assert str(foreign.id) not in file.text


async def test_another_tenant_sees_nothing(client: httpx.AsyncClient, cast: Cast, database: Database) -> None:
    await create(client, cast.manager)
    (entry,) = await entries(database, AuditEntry.resource_type == "project")
    for path in (f"/audit/records/{entry.id}", f"/audit/records/{entry.id}/verify"):
        assert (await client.get(path, headers=cast.other_admin.headers)).status_code == 404
    answer = await client.post("/audit/verify-batch", json=[str(entry.id)], headers=cast.other_admin.headers)
    assert answer.json()["data"]["valid"] == 0
    assert (await records(client, cast.other_admin, resource_type="project"))["data"] == []


async def test_a_changed_record_is_found(client: httpx.AsyncClient, cast: Cast, database: Database) -> None:
    await create(client, cast.manager)
    (entry,) = await entries(database, AuditEntry.resource_type == "project")
    path = f"/audit/records/{entry.id}/verify"
    assert (await client.get(path, headers=cast.admin.headers)).json()["data"]["is_valid"] is True
    await by_hand(database, "update audit_trail set resource_name = 'x' where id = :id", id=entry.id)
    assert (await client.get(path, headers=cast.admin.headers)).json()["data"]["is_valid"] is False
    found = (await client.get("/audit/find-tampered", headers=cast.admin.headers)).json()["data"]
    assert found["tampered_ids"] == [str(entry.id)]


async def test_changed_records_are_looked_for_in_a_period_and_up_to_a_limit(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    for name in ("one", "two", "three"):
        await create(client, cast.manager, name=name)
    changed = await entries(database, AuditEntry.resource_type == "project")
    await by_hand(database, "update audit_trail set resource_name = 'x' where resource_type = 'project'")

    async def found(**query: Any) -> list[str]:
        answer = await client.get("/audit/find-tampered", params=query, headers=cast.admin.headers)
        document = answer.json()["data"]
        assert document["tampered_count"] == len(document["tampered_ids"])
        return sorted(document["tampered_ids"])

    ids = [str(entry.id) for entry in changed]
    assert await found() == sorted(ids)
    assert len(await found(limit=2)) == 2
    middle = changed[1].timestamp.isoformat()
    assert await found(start_date=middle) == sorted(ids[1:])
    assert await found(end_date=middle) == sorted(ids[:2])


async def test_the_summary_counts_entries_changed_things_and_failures(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    project = await create(client, cast.manager)
    await create(client, cast.manager, name="Untouched")
    before = (await client.get("/audit/summary", headers=cast.admin.headers)).json()["data"]
    for name in ("Boreas", "Notos"):
        await client.patch(f"/projects/{project['id']}", json={"name": name}, headers=cast.manager.headers)
    await client.post("/auth/login", json={"email": cast.tester.email, "password": "Wrong-Password-1"})
    after = (await client.get("/audit/summary", headers=cast.admin.headers)).json()["data"]
    more = {name: after[name] - before[name] for name in before if isinstance(before[name], int)}
    assert more == {
        "total_records": 3,
        "unique_users": 0,  # both are on the trail already
        "unique_resources_updated": 1,
        "failure_events_count": 1,
    }


async def test_whoever_has_not_set_a_password_yet_sees_what_concerns_them_alone(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    await add(database, UserPermission(tenant_id=cast.tenant_id, user_id=cast.invited.id, scope="user:manage"))
    await create(client, cast.manager)
    found = (await records(client, cast.invited))["data"]
    assert {row["user_id"] for row in found} <= {str(cast.invited.id)}


async def test_people_see_what_others_have_changed_about_them(client: httpx.AsyncClient, cast: Cast) -> None:
    await client.patch(f"/users/{cast.developer.id}", json={"company": "Acme"}, headers=cast.manager.headers)
    (record,) = (await records(client, cast.developer, resource_type="user", action="update"))["data"]
    assert (record["user_id"], record["actioned_by"]) == (str(cast.developer.id), str(cast.manager.id))


async def test_lists_and_summary_take_three_statements_at_most(
    client: httpx.AsyncClient, cast: Cast, statements: Statements
) -> None:
    for path in ("/audit/records", "/audit/summary"):
        await client.get(path, headers=cast.admin.headers)
        statements.clear()
        await client.get(path, headers=cast.admin.headers)
        assert len(statements) <= 3


async def exported(client: httpx.AsyncClient, cast: Cast, path: Path, **query: str) -> list[bytes]:
    for name in ("one", "two", "=three"):
        await create(client, cast.manager, name=name)
    answer = await client.get("/audit/export", params=query, headers=cast.admin.headers)
    assert answer.status_code == 200, answer.text
    path.write_bytes(answer.content)  # noqa: ASYNC240 - a test
    return answer.content.splitlines(keepends=True)


@pytest.mark.parametrize("query", [{}, {"format": "csv"}, {"action": "create"}])
async def test_an_export_can_be_verified(
    client: httpx.AsyncClient, cast: Cast, database: Database, tmp_path: Path, query: dict[str, str]
) -> None:
    lines = await exported(client, cast, tmp_path / "export", **query)
    closing = verify_export(database.audit_keys, tmp_path / "export")
    assert closing["count"] == len(lines) - 2
    assert [entry.action for entry in await entries(database)][-1] == "data_export"


@pytest.mark.parametrize("query", [{}, {"format": "csv"}])
@pytest.mark.parametrize("damage", ["drop", "change", "swap", "cut", "repeat"])
async def test_a_damaged_export_is_refused(
    client: httpx.AsyncClient, cast: Cast, database: Database, tmp_path: Path, query: dict[str, str], damage: str
) -> None:
    lines = await exported(client, cast, tmp_path / "export", **query)
    damaged = {
        "drop": lines[:2] + lines[3:],
        "change": [line.replace(b"two", b"six") for line in lines],
        "swap": [lines[0], lines[2], lines[1], *lines[3:]],
        "cut": lines[:-1],
        "repeat": [*lines[:2], *lines[1:]],
    }[damage]
    (tmp_path / "export").write_bytes(b"".join(damaged))
    with pytest.raises(BadExport):
        verify_export(database.audit_keys, tmp_path / "export")


async def test_a_cell_is_no_formula(client: httpx.AsyncClient, cast: Cast, tmp_path: Path) -> None:
    lines = await exported(client, cast, tmp_path / "export", format="csv")
    assert any(b",'=three," in line for line in lines)


async def test_a_line_break_in_a_name_begins_no_row_with_a_formula(
    client: httpx.AsyncClient, cast: Cast, tmp_path: Path
) -> None:
    await create(client, cast.manager, name="a\r=HYPERLINK(1)")
    lines = await exported(client, cast, tmp_path / "export", format="csv")
    rows = list(csv.reader(io.StringIO(b"".join(lines[:-1]).decode(), newline=None)))
    assert any("=HYPERLINK(1)" in cell for row in rows for cell in row)
    assert not any(row[0].startswith("=") for row in rows)
    assert {len(row) for row in rows} == {17}


async def test_a_csv_export_with_a_brace_behind_a_line_feed_is_genuine(
    client: httpx.AsyncClient, cast: Cast, database: Database, tmp_path: Path
) -> None:
    await create(client, cast.manager, name="Plan\n{draft")
    lines = await exported(client, cast, tmp_path / "export", format="csv")
    assert b"{draft" in b"".join(lines)
    assert verify_export(database.audit_keys, tmp_path / "export")["count"] > 0


@pytest.mark.parametrize(
    "path", ["/audit/export", "/audit/export?format=csv", "/audit/records?export_csv=true", "/audit/records"]
)
async def test_a_moment_that_no_calendar_has_is_422_and_no_export(
    client: httpx.AsyncClient, cast: Cast, database: Database, path: str
) -> None:
    query = httpx.QueryParams(httpx.URL(path).params).merge({"end_date": "9999-12-31T23:59:59-14:00"})
    answer = await client.get(httpx.URL(path).path, params=query, headers=cast.admin.headers)
    assert (answer.status_code, answer.json()["param"]) == (422, "end_date")
    assert await entries(database, AuditEntry.action == "data_export") == []


async def test_the_trail_says_that_an_export_began_and_what_was_sent(
    client: httpx.AsyncClient, cast: Cast, database: Database, tmp_path: Path
) -> None:
    await exported(client, cast, tmp_path / "export")
    closing = verify_export(database.audit_keys, tmp_path / "export")
    begun, sent = [entry.details for entry in await entries(database, AuditEntry.action == "data_export")]
    assert begun == {"state": "begun", "format": "jsonl", "filters": {}}
    assert sent == {"state": "sent", "entries": closing["count"], "format": "jsonl", "filters": {}}


async def test_the_trail_says_that_an_export_was_broken_off(app: FastAPI, cast: Cast, database: Database) -> None:
    messages = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> dict[str, Any]:
        for message in messages:
            return message
        return await asyncio.Future()

    async def send(message: MutableMapping[str, Any]) -> None:
        if message.get("body"):
            raise OSError

    headers = [(name.lower().encode(), value.encode()) for name, value in cast.admin.headers.items()]
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/audit/export",
        "query_string": b"",
        "headers": headers,
        "app": app,
        "http_version": "1.1",
    }
    with suppress(OSError, ClientDisconnect):
        await app(scope, receive, send)
    *_, last = await entries(database, AuditEntry.action == "data_export")
    assert last.details == {"state": "broken off", "entries": 0, "format": "jsonl", "filters": {}}


async def test_csv_has_the_columns_that_clients_know(client: httpx.AsyncClient, cast: Cast) -> None:
    answer = await client.get("/audit/records", params={"export_csv": True}, headers=cast.admin.headers)
    assert len(answer.text.splitlines()[0].split(",")) == 17
    assert answer.headers["content-type"].startswith("text/csv")
    assert "audit_export_" in answer.headers["content-disposition"]


async def test_an_export_says_which_chain_it_is_of(client: httpx.AsyncClient, cast: Cast, tmp_path: Path) -> None:
    lines = await exported(client, cast, tmp_path / "export")
    opening = json.loads(lines[0])
    assert (opening["tenant_id"], opening["complete"]) == (str(cast.tenant_id), True)
