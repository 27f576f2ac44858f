"""The floor: the least that answers the same requests, with bare FastAPI routes, PyJWT and asyncpg by hand.

No caller is looked up, no right checked, nothing validated, logged or counted, no header set. The statements of the
reads are those that budapp sends, taken from it at the start of the run; those of the write are written by hand.
"""

import json
import os
import pickle
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import jwt
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import Response
from uuid_utils.compat import uuid7

from benchmarks import answers

PLAN = "BENCH_FLOOR_PLAN"

ME = """
select u.id, u.name, email, color, role, status, company, purpose, user_type,
       (select jsonb_build_object('id', c.id, 'name', c.name)
        from custom_role c where c.id = custom_role_id) custom_role
from "user" u where auth_id = $1 and status <> 'deleted'
"""
_PROJECT = """
insert into project (id, tenant_id, name, description, tags, icon, status, project_type, benchmark, created_by,
                     created_at, modified_at)
values ($1, $2, $3, null, '[]', null, 'active', 'admin_app', false, $4, $5, $5)
"""
_MEMBER = """
insert into project_member (id, tenant_id, project_id, user_id, scopes, created_at, modified_at)
values ($1, $2, $3, $4, '{endpoint:view,endpoint:manage}', $5, $5)
"""
_CREATED = """
select p.id, p.name, description, tags, icon, project_type, created_by, p.created_at, p.modified_at,
       jsonb_build_object('id', u.id, 'name', u.name, 'email', u.email, 'color', u.color, 'role', u.role) created_user
from project p join "user" u on u.id = p.created_by
where p.id = $1 and p.tenant_id = $2
"""


@dataclass(frozen=True)
class Query:
    """A statement and the parameters that it is always sent with."""

    sql: str
    parameters: tuple[Any, ...]


@dataclass(frozen=True)
class Read:
    """What answers a path: a query, or None for the caller's own row, and what makes the answer of its rows."""

    query: Query | None
    answer: str


@dataclass(frozen=True)
class Plan:
    """What the floor is told; `reads` by realm and path."""

    port: int
    dsn: str
    connections: int
    issuer_base: str
    client_id: str
    keys: dict[str, list[dict[str, Any]]]
    reads: dict[tuple[str, str], Read]


class Floor:
    """What the routes share."""

    pool: asyncpg.Pool

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._keys = {(realm, key.key_id): key for realm, keys in plan.keys.items() for key in jwt.PyJWKSet(keys).keys}

    @asynccontextmanager
    async def lifespan(self, _app: FastAPI) -> AsyncIterator[None]:
        async with asyncpg.create_pool(
            self.plan.dsn, min_size=self.plan.connections, max_size=self.plan.connections, init=_decode_json
        ) as self.pool:
            yield

    def check(self, request: Request) -> tuple[str, dict[str, Any]]:
        """Return realm and claims of a good access token."""
        token = request.headers["authorization"].removeprefix("Bearer ")
        key_id = jwt.get_unverified_header(token)["kid"]
        realm = next(realm for realm, known in self._keys if known == key_id)
        issuer = f"{self.plan.issuer_base}/realms/{realm}"
        key = self._keys[realm, key_id]
        return realm, jwt.decode(token, key, algorithms=["RS256"], audience=self.plan.client_id, issuer=issuer)


async def _decode_json(connection: asyncpg.Connection) -> None:
    await connection.set_type_codec("jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog")


def _json(content: dict[str, Any]) -> Response:
    return Response(json.dumps(content, default=_plain), media_type="application/json")


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def create_app(plan: Plan | None = None) -> FastAPI:
    """Return the floor for the plan, or for the one that the environment names."""
    plan = plan or pickle.loads(Path(os.environ[PLAN]).read_bytes())
    floor = Floor(plan)
    app = FastAPI(lifespan=floor.lifespan)

    @app.get("/{path:path}")
    async def read(request: Request, page: int = 1, limit: int = 10) -> Response:
        realm, claims = floor.check(request)
        query = request.url.query
        found = plan.reads[realm, f"{request.url.path}?{query}" if query else request.url.path]
        sent = found.query or Query(ME, (claims["sub"],))
        rows = await floor.pool.fetch(sent.sql, *sent.parameters)
        return _json({"success": True, "message": "", **getattr(answers, found.answer)(rows)})

    @app.post("/projects/")
    async def create(request: Request) -> Response:
        _, claims = floor.check(request)
        body = await request.json()
        project_id, now = uuid7(), datetime.now(UTC)
        async with floor.pool.acquire() as connection:
            user = await connection.fetchrow('select id, tenant_id from "user" where auth_id = $1', claims["sub"])
            tenant_id, user_id = user["tenant_id"], user["id"]
            async with connection.transaction():
                await connection.execute(_PROJECT, project_id, tenant_id, body["name"], user_id, now)
                await connection.execute(_MEMBER, uuid7(), tenant_id, project_id, user_id, now)
                row = await connection.fetchrow(_CREATED, project_id, tenant_id)
        return _json({"success": True, "message": "", **answers.created([row])})

    return app


def main() -> None:
    """Serve as budapp is served: one process, the same uvicorn settings."""
    uvicorn.run(
        "benchmarks.floor:create_app",
        factory=True,
        port=int(sys.argv[1]),
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
    )


if __name__ == "__main__":
    main()
