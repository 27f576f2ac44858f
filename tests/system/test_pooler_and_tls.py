"""budapp with PostgreSQL behind PgBouncer in transaction mode, over TLS by an authority of its own."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import Select, column, func, select, text
from sqlalchemy.exc import DBAPIError
from stack.parts.postgres import unprivileged

from budapp.commons.config import Settings
from budapp.commons.database import Database
from budapp.commons.domain import components_of
from budapp.commons.error_handlers import as_app_error
from budapp.commons.prepared import Prepared
from budapp.main import create_app
from tests.cast import Cast
from tests.certificates import Authority
from tests.command_line import Finished, budapp
from tests.databases import connected, create_database, drop_database
from tests.events.sidecar import free_port
from tests.system.servers import listens, program, running

PGBOUNCER = """
[databases]
* = host={server.psql_host} port={server.psql_port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = plain
auth_file = {folder}/users.txt
pool_mode = transaction
default_pool_size = 3
client_tls_sslmode = require
client_tls_cert_file = {folder}/server.crt
client_tls_key_file = {folder}/server.key
"""
"""As it comes, with few connections: what is left in one is soon another client's."""


@dataclass(frozen=True)
class Site:
    """Where the worker's database is reached through PgBouncer."""

    settings: Settings
    stranger: Authority
    """Who has not signed for it."""

    def with_(self, **changes: object) -> Settings:
        return self.settings.model_copy(update=changes)


@pytest.fixture(scope="module")
async def site(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    folder, port = tmp_path_factory.mktemp("pgbouncer"), free_port()
    authority = Authority.make(folder, "authority")
    authority.issue(folder / "server.crt", folder / "server.key")
    (folder / "users.txt").write_text(f'"{settings.psql_user}" "{settings.psql_password.get_secret_value()}"\n')
    (folder / "pgbouncer.ini").write_text(PGBOUNCER.format(server=settings, port=port, folder=folder))
    pooled = {
        "psql_host": "127.0.0.1",
        "psql_port": port,
        "psql_ssl_mode": "verify-full",
        "psql_ca_file": str(authority.file),
        "psql_transaction_pooler": True,
    }
    command: list[str | Path] = [*unprivileged(folder), program("PGBOUNCER"), folder / "pgbouncer.ini"]
    async with running(command, folder / "log", lambda: listens(port)):
        yield Site(settings.model_copy(update=pooled), Authority.make(folder, "stranger"))


@pytest.fixture
async def pooled(site: Site, migrated: None) -> AsyncIterator[FastAPI]:
    """The application with all its connections by way of PgBouncer."""
    application = create_app(site.settings)
    yield application
    await components_of(application).close()


@pytest.fixture
def through(pooled: FastAPI) -> Database:
    return components_of(pooled)[Database]


async def test_people_read_and_write_at_once_as_without_it(pooled: FastAPI, cast: Cast) -> None:
    transport = httpx.ASGITransport(pooled, raise_app_exceptions=False)
    headers = cast.admin.headers
    async with httpx.AsyncClient(transport=transport, base_url="http://budapp.test", headers=headers) as http:
        for turn in range(3):
            writes = (http.post("/projects/", json={"name": f"Project {turn}-{number}"}) for number in range(15))
            paths = ("/projects/", "/users/me", "/projects/?search=true&name=Project", "/users/") * 10
            answers = await asyncio.gather(*writes, *(http.get(path) for path in paths))
            assert {answer.status_code for answer in answers} <= {200, 201}, [answer.text for answer in answers]
        found = (await http.get("/projects/", params={"limit": 100})).json()
    assert found["total_record"] == 45


async def test_reads_can_not_write(through: Database) -> None:
    with pytest.raises(DBAPIError, match="read-only"):
        await through.reads.fetch("delete from tenant", ())
    async with through.read() as session:
        with pytest.raises(DBAPIError, match="read-only"):
            await session.execute(text("delete from tenant"))


async def test_a_read_leaves_nothing_open_and_no_setting_behind(through: Database) -> None:
    for _ in range(2):
        with pytest.raises(DBAPIError):
            await through.reads.fetch("select 1 / 0 as ended_with_it", ())
    open_ones = "state <> 'idle' and query like '%ended_with_it' and pid <> pg_backend_pid()"
    assert await through.reads.fetch(f"select 1 from pg_stat_activity where {open_ones}", ()) == []
    async with connected(through.engine.url) as connection:
        assert await connection.fetchval("show statement_timeout") == "0"
        assert await connection.fetchval("show transaction_read_only") == "off"


@pytest.mark.parametrize("way", ["prepared", "read", "write"])
async def test_time_limits_hold_for_each_transaction(site: Site, migrated: None, way: str) -> None:
    database = Database(site.with_(psql_statement_seconds=0.2))
    sleep = select(func.pg_sleep(60).label("slept"))

    async def send() -> None:
        async with database.write() if way == "write" else database.read() as session:
            await (Prepared(sleep).rows(session, {}) if way == "prepared" else session.execute(sleep))

    with pytest.raises(DBAPIError) as ended:
        await send()
    await database.dispose()
    assert as_app_error(ended.value).status == 503


async def test_json_is_read_in_each_way(through: Database) -> None:
    statement: Select[Any] = select(column("value")).select_from(
        text("""(values ('{"a": [1]}'::jsonb)) as json(value)""")
    )
    async with through.read() as session:
        prepared = await Prepared(statement).rows(session, {})
        [sent] = await session.execute(text("""select '{"a": [1]}'::jsonb"""))
    assert (prepared[0].value, sent[0]) == ({"a": [1]}, {"a": [1]})


async def test_the_database_is_migrated_through_it(site: Site, settings: Settings, run_id: str) -> None:
    url = await create_database(settings, f"pooled-{run_id}")
    try:
        done = await _migrate(site.with_(psql_db_name=url.database))
        assert done.status == 0, done.stderr
        async with connected(url) as connection:
            assert await connection.fetchval("select count(*) from alembic_version") == 1
    finally:
        await drop_database(settings, f"pooled-{run_id}")


async def test_a_server_by_another_authority_is_refused_and_the_message_says_why(site: Site, migrated: None) -> None:
    wrong = site.with_(psql_ca_file=str(site.stranger.file))
    why = "budapp: PostgreSQL's certificate is refused, see PSQL_SSL_MODE and PSQL_CA_FILE: unable to get local issuer"
    for done in (await _migrate(wrong), await budapp(wrong, "outbox", "list")):
        assert done.status == 1
        assert why in done.stderr
        assert "Traceback" not in done.stderr
    application = create_app(wrong)
    transport = httpx.ASGITransport(application, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://budapp.test") as http:
        answer = await http.post("/auth/login", json={"email": "a@example.com", "password": "Secret-123"})
        health = await http.get("/readyz")
    await components_of(application).close()
    assert (answer.status_code, health.status_code) == (503, 503)


async def test_the_name_counts_where_it_is_to_be_verified(site: Site, migrated: None) -> None:
    named = {"psql_host": "localhost"}  # the certificate is for 127.0.0.1
    full, authority = Database(site.with_(**named)), Database(site.with_(**named, psql_ssl_mode="verify-ca"))
    assert (await full.healthy(), await authority.healthy()) == (False, True)
    await full.dispose()
    await authority.dispose()


async def _migrate(settings: Settings) -> Finished:
    with patch("budapp.commons.config.get_settings", lambda: settings):  # where alembic/env.py looks
        return await budapp(settings, "migrate")
