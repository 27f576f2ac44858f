"""What must hold before figures mean anything: both servers answer alike, with few statements that read by index."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
import httpx

from benchmarks import floor
from benchmarks.cases import Target
from benchmarks.floor import Plan, Query, Read
from benchmarks.ground import TenantGround, dsn
from benchmarks.servers import free_port
from benchmarks.statements import Statement, statements_of
from budapp.commons.config import Settings
from budapp.commons.database import Database
from budapp.commons.domain import components_of
from budapp.integrations.keycloak import Keycloak
from budapp.main import create_app

_SMALL_TABLES = frozenset({"provider", "tenant", "custom_role", "user_permission"})
"""Tables that are small in every tenant: reading one whole is as good as an index."""

_FEW_ROWS = 1000
"""A table of which PostgreSQL expects fewer rows may well be read whole."""


@dataclass(frozen=True)
class Checked:
    """What was found: what the floor is to do, the statements of each case, and what does not hold."""

    plan: Plan
    statements: dict[str, list[Statement]]
    problems: list[str]


async def check(settings: Settings, targets: list[Target]) -> Checked:
    """Send each request to both servers within this process, and look at what PostgreSQL would read for it."""
    problems: list[str] = []
    async with _budapp(settings) as (client, database):
        sent = {target.case.name: await statements_of(client, database, target) for target in targets}
        plan = await plan_of(settings, targets, sent)
        application = floor.create_app(plan)
        async with application.router.lifespan_context(application), _asking(application) as floor_client:
            for target in targets:
                problems += await _differences(target, client, floor_client)
    connection = await asyncpg.connect(dsn(settings))
    try:
        # A tenant that owns nearly all of a table may well have it read whole; what counts is whether it must be.
        await connection.execute("set enable_seqscan = off")
        for target in targets:
            problems += _too_many(target, sent[target.case.name])
            problems += [
                p for one in sent[target.case.name] for p in await _reads_whole_tables(connection, target, one)
            ]
    finally:
        await connection.close()
    return Checked(plan, sent, problems)


@asynccontextmanager
async def _budapp(settings: Settings) -> AsyncIterator[tuple[httpx.AsyncClient, Any]]:
    app = create_app(settings.model_copy(update={"log_level": "WARNING"}))
    async with _asking(app) as client:
        yield client, components_of(app)[Database]
    await components_of(app).close()


def _asking(app: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://benchmark.test")


async def plan_of(settings: Settings, targets: list[Target], sent: dict[str, list[Statement]]) -> Plan:
    """Tell the floor which statements budapp answers the reads with."""
    keycloak = Keycloak(settings)
    tenants: dict[str, TenantGround] = {target.tenant.realm: target.tenant for target in targets}
    keys = {realm: (await keycloak.signing_keys(realm))["keys"] for realm in tenants}
    await keycloak.close()
    return Plan(
        port=free_port(),
        dsn=dsn(settings),
        connections=settings.psql_pool_size,
        issuer_base=settings.keycloak_issuer_base,
        client_id=next(iter(tenants.values())).client_id,
        keys={realm: [key for key in found if key["use"] == "sig"] for realm, found in keys.items()},
        reads={
            (target.tenant.realm, target.path): Read(_query(sent[target.case.name]), target.case.answer)
            for target in targets
            if target.case.answer and not target.case.posts
        },
    )


def _query(sent: list[Statement]) -> Query | None:
    """Return the first statement, which brings the rows; others, if any, are budapp's own affair."""
    return Query(sent[0].sql, sent[0].parameters) if sent else None


async def _differences(target: Target, budapp: httpx.AsyncClient, floor_client: httpx.AsyncClient) -> list[str]:
    if not target.case.answer or target.case.posts:
        return []
    answers = [await client.get(target.path, headers=target.headers) for client in (floor_client, budapp)]
    floor_rows, budapp_rows = (_rows(answer.raise_for_status().json()) for answer in answers)
    if target.case.answer == "permissions":
        budapp_rows["permissions"] = [
            one for one in budapp_rows["permissions"] if not one["rsname"].startswith("module_")
        ]
    if floor_rows == budapp_rows:
        return []
    return [f"{target.case.name}: the servers do not answer alike:\n{floor_rows}\n{budapp_rows}"]


def _rows(value: Any) -> Any:
    """Return the answer without what the floor leaves out, and with moments written one way."""
    if isinstance(value, dict):
        return {name: _rows(item) for name, item in value.items() if name not in {"message", "next_cursor"}}
    if isinstance(value, list):
        return [_rows(item) for item in value]
    return value.replace("+00:00", "Z") if isinstance(value, str) else value


def _too_many(target: Target, sent: list[Statement]) -> list[str]:
    most = target.case.statements
    return [f"{target.case.name}: {len(sent)} statements instead of {most}"] if len(sent) > most else []


async def _reads_whole_tables(connection: asyncpg.Connection, target: Target, statement: Statement) -> list[str]:
    if not statement.sql.lstrip().lower().startswith("select") or "search=true" in target.path:
        return []  # a search for any part of a text reads all of the tenant's
    [plan] = json.loads(await connection.fetchval(f"explain (format json) {statement.sql}", *statement.parameters))
    whole = {table for table, rows in _scans(plan["Plan"]) if table not in _SMALL_TABLES and rows > _FEW_ROWS}
    return [f"{target.case.name}: reads all of {table}" for table in sorted(whole)]


def _scans(node: dict[str, Any]) -> Iterator[tuple[str, int]]:
    """Yield the tables that the plan reads from end to end, with how many rows it expects there."""
    if node["Node Type"] == "Seq Scan":
        yield node["Relation Name"], node["Plan Rows"]
    for child in node.get("Plans", ()):
        yield from _scans(child)
