"""`python -m benchmarks.models`: lists of models where there are 50,000, with the plan of each statement.

Requests are sent to the application in this process; the stack must be up.
"""

import asyncio
import json
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import asyncpg
import httpx
from fastapi import FastAPI
from sqlalchemy import event

from benchmarks.ground import dsn, in_process_settings, prepared
from budapp.commons.config import Settings
from budapp.commons.database import Database
from budapp.commons.domain import components_of
from budapp.main import create_app

ROWS = 50_000
ROUNDS = 30

_FACTS = """
    'model ' || n || ' of ' || md5(n::text), repeat('What it is for, in a line of text. ', 8), 'author ' || (n % 500),
    jsonb_build_array(jsonb_build_object('name', 'tag ' || (n % 1000), 'color', '#E57333'),
                      jsonb_build_object('name', 'chat', 'color', '#E57333')),
    jsonb_build_array(jsonb_build_object('name', 'task ' || (n % 20), 'color', '#E57333')),
    (n % 400) * 1000000000::bigint, '{text_input,text_output}', '{/v1/chat/completions}', 'active',
    now() - n * interval '1 minute', now()
"""
_COLUMNS = "name, description, author, tags, tasks, model_size, modality, supported_endpoints, status"
_MODELS = f"""
insert into model (id, tenant_id, created_by, source, provider_type, uri, base_model, base_model_relation,
                   bud_verified, eval_verified, {_COLUMNS}, created_at, modified_at)
select gen_random_uuid(), $1, $2, 'local', 'hugging_face', 'acme/' || n, array['acme/base ' || (n % 2000)], 'finetune',
       false, false, {_FACTS}
from generate_series(1, $3::int) n
"""
_PROVIDER = """
insert into provider (id, name, type, icon, is_active, capabilities, created_at, modified_at)
values (gen_random_uuid(), 'Cloud', 'cloud', 'c', true, '{model}', now(), now())
"""
_OFFERS = f"""
insert into cloud_model (id, source, provider_type, provider_id, uri, {_COLUMNS}, created_at, modified_at)
select gen_random_uuid(), 'cloud', 'cloud_model', p.id, 'cloud/' || n, {_FACTS}
from provider p, generate_series(1, $1::int) n
"""
REPOSITORY = "/models/?table_source=model&order_by=-created_at"
CLOUDS = "/models/?table_source=cloud_model&order_by=-created_at"


async def main() -> None:
    """Print p50, p99 and the plan of each list."""
    settings = in_process_settings()
    async with prepared(settings, (1,)) as tenants:
        [tenant] = tenants.values()
        await _fill(settings)
        app = create_app(settings)
        headers = {"Authorization": f"Bearer {tenant.token}"}
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://budapp.bench", headers=headers) as client:
            connection = await asyncpg.connect(dsn(settings))
            for name, path in (await _lists(client)).items():
                await _measure(app, connection, client, name, path)
            await connection.close()
        await components_of(app).close()


async def _lists(client: httpx.AsyncClient) -> dict[str, str]:
    far = (await client.get(f"{REPOSITORY}&limit=4990")).json()["next_cursor"]
    return {
        "page 1": REPOSITORY,
        "page 500 by cursor": f"{REPOSITORY}&cursor={far}",
        "page 500 by number": f"{REPOSITORY}&page=500",
        "search, one found": f"{REPOSITORY}&search=true&name=4e732ced3463d06de0ca9a15b6153677",
        "search, many found": f"{REPOSITORY}&search=true&name=model",
        "search, none found": f"{REPOSITORY}&search=true&name=nowhere",
        "by tag": f"{REPOSITORY}&tag=tag%207",
        "by a tag of all": f"{REPOSITORY}&tag=chat",
        "by task": f"{REPOSITORY}&tasks=task%203",
        "by author": f"{REPOSITORY}&author=author%207",
        "by size": f"{REPOSITORY}&model_size_min=7&model_size_max=8",
        "by base model": f"{REPOSITORY}&base_model=acme/base%207",
        "by name": "/models/?table_source=model&order_by=name",
        "tags": "/models/tags?limit=1000",
        "authors": "/models/authors?limit=1000",
        "clouds, page 1": CLOUDS,
        "clouds, search": f"{CLOUDS}&search=true&name=4e732ced3463d06de0ca9a15b6153677",
        "clouds, by tag": f"{CLOUDS}&tag=tag%207",
    }


async def _fill(settings: Settings) -> None:
    connection = await asyncpg.connect(dsn(settings))
    tenant_id: UUID = await connection.fetchval("select id from tenant")
    user_id: UUID = await connection.fetchval('select id from "user" limit 1')
    await connection.execute(_MODELS, tenant_id, user_id, ROWS)
    await connection.execute(_PROVIDER)
    await connection.execute(_OFFERS, ROWS)
    await connection.execute("vacuum (analyze)")
    await connection.close()


async def _measure(
    app: FastAPI, connection: asyncpg.Connection, client: httpx.AsyncClient, name: str, path: str
) -> None:
    times = []
    for _ in range(ROUNDS + 3):
        started = time.perf_counter()
        (await client.get(path)).raise_for_status()
        times.append((time.perf_counter() - started) * 1000)
    with _sent(app) as statements:
        total = (await client.get(path)).json()["total_record"]
    settled = sorted(times[3:])
    print(f"{name:22} p50 {statistics.median(settled):6.1f} ms  p99 {settled[-1]:6.1f} ms  {total} rows")
    for statement, parameters in statements:
        if "FROM model" in statement or "FROM cloud_model" in statement:
            print(f"{'':22} {await _plan(connection, statement, parameters)}")


@contextmanager
def _sent(app: FastAPI) -> Iterator[list[tuple[str, Any]]]:
    """Collect the statements that are sent, with their parameters."""
    found: list[tuple[str, Any]] = []

    def keep(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        found.append((statement, parameters))

    engine = components_of(app)[Database].read_engine.sync_engine
    event.listen(engine, "before_cursor_execute", keep)
    try:
        yield found
    finally:
        event.remove(engine, "before_cursor_execute", keep)


async def _plan(connection: asyncpg.Connection, statement: str, parameters: Any) -> str:
    """Return what PostgreSQL reads for the statement: each table with how, or by which index."""
    [plan] = json.loads(await connection.fetchval(f"explain (format json) {statement}", *parameters))
    return ", ".join(dict.fromkeys(_reads(plan["Plan"])))


def _reads(node: dict[str, Any]) -> Iterator[str]:
    if "Index Name" in node:
        yield f"{node['Node Type']} {node['Index Name']}"
    elif node["Node Type"] == "Seq Scan":
        yield f"Seq Scan {node['Relation Name']}"
    for child in node.get("Plans", ()):
        yield from _reads(child)


if __name__ == "__main__":
    asyncio.run(main())
