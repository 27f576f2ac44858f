"""`python -m benchmarks.endpoints`: the list of 5,000 endpoints in 200 projects, beside 20,000 of another tenant.

A member of 3 projects asks, one of all 200, and an administrator. Requests are sent to the application in this process;
the stack must be up. It ends with status 1 where a list takes more than one statement, or reads a large table from end
to end.
"""

import asyncio
import json
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import asyncpg
import httpx
from fastapi import FastAPI
from uuid_utils.compat import uuid7

from benchmarks.ground import TenantGround, dsn, in_process_settings, prepared
from budapp.commons.config import Settings
from budapp.commons.database import Database
from budapp.commons.domain import components_of
from budapp.commons.scopes import UserRole, UserType
from budapp.integrations.keycloak import Keycloak, NewUser
from budapp.main import create_app
from budapp.user_ops.models import User, UserStatus

PROJECTS, ENDPOINTS, FOREIGN, ROUNDS = 200, 5_000, 20_000, 20
LARGE = frozenset({"endpoint", "model"})
_PASSWORD = "Correct-Horse-1"

_ENDPOINTS = """
insert into endpoint (id, tenant_id, name, project_id, model_id, url, namespace, status, created_by, active_replicas,
                      total_replicas, number_of_nodes, supported_endpoints, cache_enabled, is_deprecated, is_published,
                      created_at, modified_at)
select gen_random_uuid(), $1, 'deployment ' || n, p.id, gen_random_uuid(), 'http://model', 'n',
       'running', $2, n % 5, n % 7, 1, '{/v1/chat/completions}', false, false, n % 10 = 0,
       now() - n * interval '1 minute', now()
from generate_series(1, $3::int) n, lateral (select id from project where tenant_id = $1 limit 1) p
"""
_SPREAD = """
update endpoint e set project_id = p.id, model_id = m.id
from (select id, row_number() over (order by id) as n from project where tenant_id = $1) p,
     (select id, row_number() over (order by id) as n from model where tenant_id = $1) m,
     (select id, row_number() over (order by id) as n from endpoint where tenant_id = $1) own
where e.id = own.id and p.n = 1 + own.n % $2 and m.n = 1 + own.n % $2
"""
_MEMBER = """
insert into project_member (id, tenant_id, project_id, user_id, scopes, created_at, modified_at)
select gen_random_uuid(), $1, id, $2, '{endpoint:view}', now(), now()
from (select id from project where tenant_id = $1 order by id limit $3) p
"""
_QUERIES = {
    "page 1": "",
    "page 7": "page=7",
    "of one project": "project_id={project_id}",
    "published": "is_published=true",
    "by project name": "order_by=project_name",
    "by model name": "order_by=-model_name",
    "by workers": "order_by=-total_workers",
    "search": "search=true&name=deployment%20777",
}


async def main() -> int:
    """Print p50, p99 and the plan of each list; return how many break a rule."""
    settings, broken = in_process_settings(), 0
    async with prepared(settings, (PROJECTS, FOREIGN // 2)) as tenants:
        tenant = tenants[PROJECTS]
        connection = await asyncpg.connect(dsn(settings))
        tokens = {"administrator": tenant.token, **await _people(settings, connection, tenant)}
        app = create_app(settings)
        for who, token in tokens.items():
            transport, headers = httpx.ASGITransport(app), {"Authorization": f"Bearer {token}"}
            async with httpx.AsyncClient(transport=transport, base_url="http://b.test", headers=headers) as client:
                for name, query in _QUERIES.items():
                    path = f"/endpoints/?{query.format(**tenant.ids)}"
                    broken += await _measure(app, connection, client, f"{who}, {name}", path)
        await connection.close()
        await components_of(app).close()
    return broken


async def _people(settings: Settings, connection: asyncpg.Connection, tenant: TenantGround) -> dict[str, str]:
    """Fill the tenant, and return the tokens of two members."""
    tenant_id: UUID = await connection.fetchval("select tenant_id from project where id = $1", tenant.ids["project_id"])
    owner: UUID = await connection.fetchval('select id from "user" where tenant_id = $1 limit 1', tenant_id)
    await connection.execute("delete from endpoint where tenant_id = $1", tenant_id)
    await connection.execute(_ENDPOINTS, tenant_id, owner, ENDPOINTS)
    await connection.execute(_SPREAD, tenant_id, PROJECTS)
    keycloak, database = Keycloak(settings), Database(settings)
    _, client = await keycloak.ensure_client(tenant.realm, settings.default_client_name)
    tokens = {}
    for count in (3, PROJECTS):
        email = f"of{count}@example.com"
        auth_id = await keycloak.create_user(tenant.realm, NewUser(email, "member", _PASSWORD, [UserRole.TESTER]))
        user = _user(tenant_id, auth_id, email)
        async with database.write() as session:
            session.add(user)
        await connection.execute(_MEMBER, tenant_id, user.id, count)
        signed_in = await keycloak.sign_in(client, email, _PASSWORD, remember=False)
        tokens[f"member of {count}"] = signed_in["access_token"]
    await connection.execute("vacuum (analyze)")
    await keycloak.close()
    await database.dispose()
    return tokens


def _user(tenant_id: UUID, auth_id: str, email: str) -> User:
    about = {"role": UserRole.TESTER, "user_type": UserType.ADMIN, "status": UserStatus.ACTIVE, "color": "#E57333"}
    seen = {"first_login": False, "is_reset_password": False}
    return User(id=uuid7(), tenant_id=tenant_id, auth_id=auth_id, name="member", email=email, **about, **seen)


async def _measure(
    app: FastAPI, connection: asyncpg.Connection, client: httpx.AsyncClient, name: str, path: str
) -> int:
    times = []
    for _ in range(ROUNDS + 8):  # PostgreSQL decides about its plan after five
        started = time.perf_counter()
        (await client.get(path)).raise_for_status()
        times.append((time.perf_counter() - started) * 1000)
    with _sent(app) as statements:
        total = (await client.get(path)).json()["total_record"]
    settled = sorted(times[8:])
    reads = [await _plan(connection, sql, parameters) for sql, parameters in statements]
    whole = [table for read in reads for table in LARGE if f"Seq Scan {table}" in read and "search" not in name]
    print(f"{name:36} p50 {statistics.median(settled):5.1f} ms  p99 {settled[-1]:5.1f} ms  {total} rows")
    print("\n".join(f"    {', '.join(dict.fromkeys(read))}" for read in reads))
    for table in whole:
        print(f"    BROKEN: reads all of {table}")
    if len(statements) > 1:
        print(f"    BROKEN: {len(statements)} statements")
    return len(whole) + (len(statements) > 1)


@contextmanager
def _sent(app: FastAPI) -> Iterator[list[tuple[str, Sequence[Any]]]]:
    """Collect the prepared statements that are sent, with their parameters."""
    found: list[tuple[str, Sequence[Any]]] = []
    reads = components_of(app)[Database].reads
    fetch = reads.fetch

    async def keep(sql: str, parameters: Sequence[Any]) -> Any:
        found.append((sql, parameters))
        return await fetch(sql, parameters)

    setattr(reads, "fetch", keep)  # noqa: B010
    try:
        yield found
    finally:
        setattr(reads, "fetch", fetch)  # noqa: B010


async def _plan(connection: asyncpg.Connection, statement: str, parameters: Sequence[Any]) -> list[str]:
    """Return what PostgreSQL reads for the statement: each table with how, or by which index."""
    [plan] = json.loads(await connection.fetchval(f"explain (format json) {statement}", *parameters))
    return list(_reads(plan["Plan"]))


def _reads(node: dict[str, Any]) -> Iterator[str]:
    if "Index Name" in node:
        yield f"{node['Node Type']} {node['Index Name']}"
    elif node["Node Type"] == "Seq Scan":
        yield f"Seq Scan {node['Relation Name']}"
    for child in node.get("Plans", ()):
        yield from _reads(child)


if __name__ == "__main__":
    sys.exit(min(1, asyncio.run(main())))
