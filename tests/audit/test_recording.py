"""What stands in the trail."""

import ast
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select, update
from starlette.requests import Request

import budapp
from budapp.audit.denials import MAX_KINDS, Denials
from budapp.audit.models import Action, AuditEntry, ResourceType
from budapp.audit.recorder import record
from budapp.commons.auditing import Audited, NotAudited
from budapp.commons.config import Settings, audit_keys_of, parse_encryption_keys
from budapp.commons.database import Base, Database, release
from budapp.commons.domain import components_of
from budapp.project_ops.models import Project
from tests.audit.data import entries
from tests.cast import PASSWORD, Cast
from tests.projects.data import create, join
from tests.statements import Statements

MODELS = dict(sorted((mapper.class_.__name__, mapper.class_) for mapper in Base.registry.mappers))


@pytest.mark.parametrize("name", MODELS)
def test_every_table_says_whether_it_is_audited(name: str) -> None:
    model = MODELS[name]
    assert isinstance(getattr(model, "audited", None), Audited | NotAudited), f"{name} needs `audited = ...`"
    if isinstance(model.audited, Audited):
        columns = {column.key for column in model.__table__.columns}
        assert {model.audited.name, *model.audited.secrets, *model.audited.ignored} - {None} <= columns


def _bulk_statements() -> list[str]:
    found = []
    for path in Path(budapp.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
                target = node.args[0]
                if node.func.id in {"insert", "update", "delete"} and isinstance(target, ast.Name):
                    found.append(f"{path.name}:{node.lineno} {node.func.id}({target.id})")
    return found


def test_audited_tables_are_changed_through_the_orm() -> None:
    def is_audited(statement: str) -> bool:
        model = MODELS.get(statement.rpartition("(")[2].rstrip(")"))
        return model is not None and isinstance(model.audited, Audited)

    assert [statement for statement in _bulk_statements() if is_audited(statement)] == []


async def test_a_change_says_who_what_from_where_and_how_it_was(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    project = await create(client, cast.manager)
    headers = {**cast.admin.headers, "X-Request-Id": "r-1", "User-Agent": "walker/1"}
    await client.patch(f"/projects/{project['id']}", json={"name": "Boreas"}, headers=headers)
    (entry,) = await entries(database, AuditEntry.resource_type == "project", AuditEntry.action == "update")
    assert (entry.actioned_by, entry.tenant_id, str(entry.resource_id)) == (
        cast.admin.id,
        cast.tenant_id,
        project["id"],
    )
    assert (entry.previous_state, entry.new_state) == ({"name": "Atlas"}, {"name": "Boreas"})
    assert (entry.source, entry.ip_address, entry.user_agent, entry.request_id) == (
        "request",
        "127.0.0.1",
        "walker/1",
        "r-1",
    )


async def test_a_deletion_shows_what_is_gone_and_for_whom(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    project = await create(client, cast.manager)
    await join(database, project["id"], cast.developer)
    body = {"user_ids": [str(cast.developer.id)]}
    await client.post(f"/projects/{project['id']}/remove-users", json=body, headers=cast.manager.headers)
    entry = (await entries(database, AuditEntry.resource_type == "permission"))[-1]
    assert (entry.user_id, entry.actioned_by, entry.new_state) == (cast.developer.id, cast.manager.id, None)
    assert entry.previous_state is not None
    assert entry.previous_state["scopes"] == ["endpoint:view"]


async def test_secrets_do_not_get_into_the_trail(client: httpx.AsyncClient, cast: Cast, database: Database) -> None:
    body = {"name": "New", "email": "new-one@example.com", "password": "Very-Secret-1"}
    await client.post("/auth/register", json=body)
    await client.post("/auth/login", json={"email": "nobody@example.com", "password": "Very-Secret-2"})
    trail = [[entry.details, entry.previous_state, entry.new_state] for entry in await entries(database)]
    assert "Very-Secret" not in str(trail)
    (client_row,) = [e for e in await entries(database) if e.details and e.details.get("table") == "tenant_client"][:1]
    assert client_row.new_state is not None
    assert client_row.new_state["client_secret_encrypted"] == "***"


@pytest.mark.parametrize("email", ["tester@example.com", "nobody@example.com"])
async def test_a_failed_sign_in_is_recorded_with_the_email_known_or_not(
    client: httpx.AsyncClient, cast: Cast, database: Database, email: str
) -> None:
    answer = await client.post("/auth/login", json={"email": email, "password": "Wrong-Password-1"})
    assert answer.status_code == 400
    (entry,) = await entries(database, AuditEntry.action == "login_failed")
    assert (entry.resource_name, entry.actioned_by, entry.tenant_id) == (email, None, cast.tenant_id)
    assert entry.user_id == (cast.tester.id if email == cast.tester.email else None)


async def test_a_sign_in_and_a_sign_out_are_recorded(client: httpx.AsyncClient, cast: Cast, database: Database) -> None:
    answer = await client.post("/auth/login", json={"email": cast.tester.email, "password": PASSWORD})
    await client.post("/auth/logout", json={"refresh_token": answer.json()["token"]["refresh_token"]})
    found = await entries(database, AuditEntry.resource_type == "session")
    assert found[0].action == "login"
    assert found[0].user_id == cast.tester.id


async def test_a_flood_of_refused_requests_leaves_two_entries(
    client: httpx.AsyncClient, cast: Cast, database: Database, app: FastAPI
) -> None:
    denials: Denials = components_of(app)[Denials]
    await denials.flush(all=True)
    for _ in range(20):
        assert (await client.get("/users/", headers=cast.developer.headers)).status_code == 403
    await denials.flush(all=True)
    first, rest = await entries(database, AuditEntry.action == "access_denied", AuditEntry.tenant_id == cast.tenant_id)
    assert (first.actioned_by, first.resource_name) == (cast.developer.id, "GET /users/")
    assert rest.details is not None
    assert (rest.details["repeated"], rest.actioned_by) == (19, cast.developer.id)


async def test_refusals_that_were_only_counted_are_written_when_the_service_stops(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    denials = Denials(database)
    request = Request({"type": "http", "method": "GET", "path": "/users/", "headers": [], "server": ("x", 1)})
    for _ in range(3):
        await denials.note(request, "no")
    await denials.stop()
    found = [entry.details for entry in await entries(database, AuditEntry.action == "access_denied")]
    assert [details.get("repeated") for details in found if details] == [None, 2]


async def test_what_was_counted_in_a_minute_is_written_when_the_next_one_begins(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    denials = Denials(database)
    request = Request({"type": "http", "method": "GET", "path": "/users/", "headers": [], "server": ("x", 1)})
    for _ in range(3):
        await denials.note(request, "no")
    monkeypatch.setattr("budapp.audit.denials.WINDOW_SECONDS", 0)
    await denials.note(request, "no")
    found = [entry.details for entry in await entries(database, AuditEntry.action == "access_denied")]
    assert [details.get("repeated") for details in found if details] == [None, 2, None]


async def test_what_is_recorded_stays_though_the_connection_is_given_back(database: Database) -> None:
    async with database.write() as session:
        await session.scalars(select(Project))
        record(session, Action.LOGIN_FAILED, ResourceType.SESSION, resource_name="kept")
        await release(session)
    assert [entry.resource_name for entry in await entries(database)] == ["kept"]


async def test_a_flood_from_many_addresses_is_bounded(database: Database, app: FastAPI) -> None:
    await components_of(app)[Denials].flush(all=True)
    before = len(await entries(database))
    for number in range(MAX_KINDS + 50):
        transport = httpx.ASGITransport(app, client=(f"10.0.0.{number}", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://budapp.test") as stranger:
            assert (await stranger.post("/notifications", json={})).status_code == 403
    assert len(await entries(database)) - before == MAX_KINDS + 1
    await components_of(app)[Denials].flush(all=True)


async def test_recording_costs_one_statement_and_reads_nothing(
    client: httpx.AsyncClient, cast: Cast, statements: Statements
) -> None:
    project = await create(client, cast.admin)
    statements.clear()
    body = {"name": "Boreas", "description": "More"}
    await client.patch(f"/projects/{project['id']}", json=body, headers=cast.admin.headers)
    (written,) = [s for s in statements if "audit" in s]
    assert written.count("INSERT INTO audit_trail ") == 1
    statements.clear()
    await client.get(f"/projects/{project['id']}", headers=cast.admin.headers)
    assert not [s for s in statements if "audit" in s]


async def test_a_savepoint_that_is_rolled_back_takes_its_entries_along(database: Database, cast: Cast) -> None:
    def project(name: str) -> Project:
        return Project(
            tenant_id=cast.tenant_id, name=name, project_type="admin_app", created_by=cast.admin.id, status="active"
        )

    async with database.write() as session:
        session.add(project("kept"))
        await session.flush()
        savepoint = await session.begin_nested()
        session.add(project("dropped"))
        await session.flush()
        await savepoint.rollback()
    made = await entries(database, AuditEntry.resource_type == "project")
    assert [entry.resource_name for entry in made] == ["kept"]
    assert made[0].source == "system"


async def test_a_bulk_statement_is_at_least_on_record(database: Database, cast: Cast) -> None:
    async with database.write() as session:
        await session.execute(update(Project).values(name="all"))
    (entry,) = await entries(database, AuditEntry.resource_type == "project")
    assert entry.details is not None
    assert entry.details["rows"] == "by one statement"


def test_the_key_of_the_trail_is_not_the_encryption_key(settings: Settings) -> None:
    encrypting = set(parse_encryption_keys(settings.encryption_keys).values())
    for audit_keys in (None, settings.audit_keys):
        found = audit_keys_of(settings.model_copy(update={"audit_keys": audit_keys}))
        assert found
        assert not encrypting & set(found.values())
