"""`python -m benchmarks.keys`: keys at budapp, and the gateway's tables.

How long a service account's key takes to be checked; how long the tables of 10,000 keys with 50 deployments each take
to be built, and how much memory; how long a change takes from its commit into Valkey while there are 100 a second. The
stack must be up.
"""

import asyncio
import resource
import statistics
import sys
import time
from datetime import timedelta
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
        slowest = await _change(components, account_id, project_id)
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


async def _change(components: Components, account_id: UUID, project_id: UUID) -> float:
    """Change keys one after the other, and return the 99th percentile of how long it takes into Valkey."""
    worker = GatewayWorker(components[GatewayTables])
    async with components[Database].read() as session:
        statement = "select id, hashed_key from credential where project_id = :project_id order by id limit 1000"
        keys = (await session.execute(text(statement), {"project_id": project_id})).all()
    await worker.start()
    await asyncio.sleep(1)
    tasks, started = [], time.perf_counter()
    for number in range(CHANGES_PER_SECOND * SECONDS):
        await asyncio.sleep(max(0.0, started + number / CHANGES_PER_SECOND - time.perf_counter()))
        tasks.append(asyncio.create_task(_one(components, keys[number % len(keys)])))
    found = await asyncio.gather(*tasks)
    await worker.stop()
    rate = len(found) / (time.perf_counter() - started)
    p99 = _percentile(found, 99)
    print(f"commit → Valkey at {rate:.0f} changes/s: p50 {statistics.median(found):.3f} s, p99 {p99:.3f} s")
    return p99


async def _one(components: Components, key: tuple[UUID, str]) -> float:
    expiry = now() + timedelta(days=1)
    async with components[Database].write() as session:
        row = await session.get_one(Credential, key[0])
        row.expiry = expiry
    started, wanted = time.perf_counter(), int(expiry.timestamp() * 1000)
    while await components[Redis].pexpiretime(f"api_key:{key[1]}") != wanted:  # noqa: ASYNC110 - Valkey is asked
        await asyncio.sleep(0.005)
    return time.perf_counter() - started


def _percentile(found: list[float], percent: int) -> float:
    return sorted(found)[min(len(found) - 1, len(found) * percent // 100)]


if __name__ == "__main__":
    asyncio.run(main())
