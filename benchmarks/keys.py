"""`python -m benchmarks.keys`: keys at budapp, and the gateway's tables.

How long a service account's key takes to be checked; how long the tables of 10,000 keys with 50 deployments each take
to be built, and how much memory; how long a change takes from its commit into Valkey while there are 100 a second. The
stack must be up.
"""

import asyncio
import multiprocessing
import resource
import statistics
import sys
import time
from datetime import timedelta
from multiprocessing.connection import Connection
from uuid import UUID

from pydantic import SecretStr
from redis.asyncio import Redis
from sqlalchemy import text
from uuid_utils.compat import uuid7

from benchmarks.ground import in_process_settings, prepared
from budapp.api_key_ops import secrets
from budapp.api_key_ops.models import Credential
from budapp.api_key_ops.secrets import Peppers
from budapp.commons.config import Settings
from budapp.commons.database import Database, now
from budapp.commons.domain import Components, components_of
from budapp.domains import DOMAINS
from budapp.gateway_ops.services import GatewayTables
from budapp.gateway_ops.worker import GatewayWorker
from budapp.main import create_app
from budapp.service_account_ops.authentication import KeyAuthenticator
from budapp.user_ops.callers import Callers

KEYS, DEPLOYMENTS = 10_000, 50
CHECKS = 2_000
CHANGES_PER_SECOND, SECONDS = 100, 10
WITHIN_SECONDS = 1.0
"""How long a change may take, for 99 of 100."""

_ACCOUNT = """
insert into "user" (id, tenant_id, auth_id, name, email, role, user_type, status, color, first_login, is_reset_password,
                    service_rights, created_at, modified_at)
values (:id, :tenant_id, 'service:' || :id, 'CI', :id || '@service-accounts.invalid', 'admin', 'admin', 'active',
        '#B1B1B1', false, false, 'role', now(), now())
"""
_DEPLOYMENTS = """
insert into endpoint (id, tenant_id, name, project_id, model_id, url, namespace, status, created_by, active_replicas,
                      total_replicas, number_of_nodes, supported_endpoints, cache_enabled, is_deprecated, is_published,
                      created_at, modified_at)
select gen_random_uuid(), :tenant_id, 'chat-' || n, :project_id, (select id from model limit 1), 'http://model',
       'namespace', 'running', :user_id, 1, 1, 1, '{/v1/chat/completions}', false, false, false, now(), now()
from generate_series(1, :number) n
"""
_KEYS = """
insert into credential (id, tenant_id, name, project_id, user_id, credential_type, hashed_key, masked_key, created_at,
                        modified_at)
select gen_random_uuid(), :tenant_id, 'key ' || n, :project_id, :user_id, 'admin_app',
       encode(sha256(('key ' || n)::bytea), 'hex'), 'bud_admin_********', now(), now()
from generate_series(1, :number) n
"""


async def main() -> None:
    """Print the figures; status 1 where changes take too long."""
    settings = in_process_settings()
    url = settings.tensorzero_redis_url.get_secret_value().rsplit("/", 1)[0]
    settings = settings.model_copy(update={"tensorzero_redis_url": SecretStr(f"{url}/15")})
    async with prepared(settings, (1,)):
        components = components_of(create_app(settings))
        await components[Redis].flushdb()
        account_id, project_id = await _put_in(components)
        await _check_keys(components, settings, account_id)
        await _rebuild(components)
        slowest = await _change(components, settings, project_id)
        await components[Redis].flushdb()
        await components.close()
    if slowest > WITHIN_SECONDS:
        sys.exit("Changes take too long")


async def _put_in(components: Components) -> tuple[UUID, UUID]:
    async with components[Database].write() as session:
        tenant_id = await session.scalar(text("select id from tenant"))
        project_id = await session.scalar(text("select id from project limit 1"))
        owner_id = await session.scalar(text("select created_by from project limit 1"))
        account_id = uuid7()
        await session.execute(text(_ACCOUNT.replace(":id", f"'{account_id}'")), {"tenant_id": tenant_id})
        common = {"tenant_id": tenant_id, "project_id": project_id, "user_id": owner_id}
        await session.execute(text("delete from endpoint"))
        await session.execute(text(_DEPLOYMENTS), {**common, "number": DEPLOYMENTS})
        await session.execute(text(_KEYS), {**common, "number": KEYS})
        await session.execute(text("analyze"))
    return account_id, project_id


async def _check_keys(components: Components, settings: Settings, account_id: UUID) -> None:
    secret = secrets.new_secret("service")
    async with components[Database].write() as session:
        tenant_id = await session.scalar(text("select id from tenant"))
        mine = {"tenant_id": tenant_id, "user_id": account_id, "name": "bench", "credential_type": "admin_app"}
        digest = Peppers(settings).digest(secret)
        session.add(Credential(hashed_key=secrets.lookup_hash(secret), key_hmac=digest, masked_key="x", **mine))
    authenticator, callers = components[KeyAuthenticator], components[Callers]
    for name, forget in (("warm", False), ("cold", True)):
        found = []
        for _ in range(CHECKS if not forget else CHECKS // 10):
            if forget:
                callers.forget_all()
            started = time.perf_counter()
            await authenticator.authenticate(secret)
            found.append((time.perf_counter() - started) * 1e6)
        print(f"key check, {name}: p50 {statistics.median(found):.0f} µs, p99 {_percentile(found, 99):.0f} µs")


async def _rebuild(components: Components) -> None:
    tables = components[GatewayTables]
    for name in ("empty Valkey", "nothing to change"):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        started = time.perf_counter()
        changed = await tables.rebuild()
        seconds = time.perf_counter() - started
        more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        what = f"rebuild of {KEYS} keys, {DEPLOYMENTS} deployments each, {name}"
        print(f"{what}: {seconds:.1f} s, {more:+.0f} MB, {changed} changed")


async def _change(components: Components, settings: Settings, project_id: UUID) -> float:
    """Change keys one after the other, and return the 99th percentile of how long it takes into Valkey."""
    worker = GatewayWorker(components[GatewayTables])
    await worker.look()  # what making the ground has left, which concerns all keys
    async with components[Database].read() as session:
        statement = "select id, hashed_key from credential where project_id = :project_id order by id limit 1000"
        rows = (await session.execute(text(statement), {"project_id": project_id})).all()
    keys = [(UUID(str(row.id)), str(row.hashed_key)) for row in rows]
    await worker.start()
    await asyncio.sleep(1)
    count = CHANGES_PER_SECOND * SECONDS
    here, there = multiprocessing.Pipe(duplex=False)
    changing = multiprocessing.get_context("spawn").Process(target=_change_all, args=(there, settings, keys[:count]))
    changing.start()
    found, rate = await _Watch(components[Redis], here).run(count)
    changing.join()
    await worker.stop()
    p99 = _percentile(found, 99)
    print(f"commit → Valkey at {rate:.0f} changes/s: p50 {statistics.median(found):.3f} s, p99 {p99:.3f} s")
    return p99


def _change_all(pipe: Connection, settings: Settings, keys: list[tuple[UUID, str]]) -> None:
    """Change the keys at the rate, and tell what is committed and when: in a process of its own, as other replicas."""
    asyncio.run(_change_each(pipe, settings, keys))


async def _change_each(pipe: Connection, settings: Settings, keys: list[tuple[UUID, str]]) -> None:
    database = Components(settings, DOMAINS)[Database]
    started = time.perf_counter()
    async with asyncio.TaskGroup() as changes:
        for number, key in enumerate(keys):
            await asyncio.sleep(max(0.0, started + number / CHANGES_PER_SECOND - time.perf_counter()))
            changes.create_task(_one(database, key, pipe))
    await database.dispose()


async def _one(database: Database, key: tuple[UUID, str], pipe: Connection) -> None:
    expiry = now() + timedelta(days=1)
    async with database.write() as session:
        row = await session.get_one(Credential, key[0])
        row.expiry = expiry
    pipe.send((f"api_key:{key[1]}", time.time(), int(expiry.timestamp() * 1000)))


class _Watch:
    """Looks in Valkey, a hundred times a second, for what has been committed."""

    def __init__(self, valkey: Redis, committed: Connection) -> None:
        self._valkey = valkey
        self._committed = committed
        self._missing: dict[str, tuple[float, int]] = {}

    async def run(self, count: int) -> tuple[list[float], float]:
        """Return how long each of so many changes took, and how many were committed a second."""
        found: list[float] = []
        moments: list[float] = []
        while len(found) < count:
            await asyncio.sleep(0.01)
            while self._committed.poll():
                name, moment, ends = self._committed.recv()
                self._missing[name] = (moment, ends)
                moments.append(moment)
            found += await self._look()
        return found, count / (max(moments) - min(moments))

    async def _look(self) -> list[float]:
        names = list(self._missing)
        pipeline = self._valkey.pipeline(transaction=False)
        for name in names:
            pipeline.pexpiretime(name)
        there = dict(zip(names, await pipeline.execute(), strict=True))
        arrived = [name for name in names if there[name] == self._missing[name][1]]
        return [time.time() - self._missing.pop(name)[0] for name in arrived]


def _percentile(found: list[float], percent: int) -> float:
    return sorted(found)[min(len(found) - 1, len(found) * percent // 100)]


if __name__ == "__main__":
    asyncio.run(main())
