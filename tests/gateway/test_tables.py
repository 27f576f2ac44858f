import asyncio
import json
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from fastapi import FastAPI
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as ConnectionLost
from sqlalchemy import select, text, update
from uuid_utils.compat import uuid7

from budapp.adapter_ops.models import Adapter
from budapp.api_key_ops.models import Credential
from budapp.api_key_ops.secrets import lookup_hash
from budapp.commons.database import Database, now
from budapp.commons.domain import components_of
from budapp.endpoint_ops.models import Endpoint
from budapp.gateway_changes.models import GatewayChange
from budapp.gateway_ops.entries import Entry
from budapp.gateway_ops.services import GatewayTables
from budapp.gateway_ops.store import VERSIONS, GatewayStore
from budapp.gateway_ops.worker import GatewayWorker
from budapp.integrations.recipients import Recipients
from budapp.pricing_ops.models import DeploymentPricing
from budapp.project_ops.models import Project, ProjectMember
from budapp.tenant_ops.models import Tenant
from budapp.user_ops.models import User
from tests.api_keys.data import PATH, make_key
from tests.cast import Cast
from tests.gateway.conftest import Deploy, all_entries
from tests.gateway.reader import read_key, read_model, read_published
from tests.projects.data import add, create, join
from tests.waiting import until


def entry_of(key: dict[str, Any]) -> str:
    return f"api_key:{lookup_hash(key['key'])}"


async def opened(valkey: Redis, key: dict[str, Any]) -> set[str] | None:
    value = await valkey.get(entry_of(key))
    return set(read_key(value)[0]) if value is not None else None


@pytest.fixture
async def project_id(client: httpx.AsyncClient, cast: Cast, database: Database) -> str:
    found: str = (await create(client, cast.manager))["id"]
    await join(database, found, cast.developer)
    return found


async def test_a_key_opens_what_runs_in_its_project(
    client: httpx.AsyncClient, cast: Cast, project_id: str, deploy: Deploy, tables: GatewayTables, valkey: Redis
) -> None:
    endpoint = await deploy(project_id)
    await deploy(project_id, name="starting", status="deploying")
    elsewhere = await create(client, cast.manager, name="Elsewhere")
    await deploy(elsewhere["id"], name="elsewhere")
    key = await make_key(client, cast.developer, project_id)
    await tables.apply_changes()
    references, metadata = read_key(await valkey.get(entry_of(key)))
    reference = references["chat"]
    assert set(references) == {"chat"}
    assert (reference.endpoint_id, reference.model_id) == (endpoint.id, endpoint.model_id)
    assert (metadata.api_key_id, metadata.user_id) == (UUID(key["id"]), cast.developer.id)
    assert str(metadata.api_key_project_id) == project_id
    model = read_model(f"model_table:{endpoint.id}", await valkey.get(f"model_table:{endpoint.id}"))
    assert (model.routing, model.endpoints, model.api_key) == (["vllm"], ["chat"], None)
    vllm = model.providers["vllm"].model_dump(exclude_none=True)
    assert vllm == {
        "type": "vllm",
        "model_name": "bud-chat",
        "api_base": "http://10.0.0.7:8000/v1",
        "api_key_location": "none",
    }
    assert not await tables.diff()


async def test_changes_show_and_revoking_shuts(
    client: httpx.AsyncClient,
    cast: Cast,
    database: Database,
    project_id: str,
    deploy: Deploy,
    worker: GatewayWorker,
    tables: GatewayTables,
    valkey: Redis,
) -> None:
    endpoint = await deploy(project_id)
    key = await make_key(client, cast.developer, project_id)
    await until(lambda: valkey.exists(entry_of(key)))
    assert await opened(valkey, key) == {"chat"}
    async with database.write() as session:
        row = await session.get_one(Endpoint, endpoint.id)
        row.status = "deleted"

    async def is_gone() -> bool:
        return await opened(valkey, key) == set() and not await valkey.exists(f"model_table:{endpoint.id}")

    await until(is_gone)
    assert (await client.delete(PATH + key["id"], headers=cast.developer.headers)).status_code == 200

    async def is_shut() -> bool:
        return not await valkey.exists(entry_of(key))

    await until(is_shut)
    assert not await tables.diff()


async def test_after_a_rotation_both_secrets_open_until_the_grace_is_over(
    client: httpx.AsyncClient, cast: Cast, project_id: str, deploy: Deploy, worker: GatewayWorker, valkey: Redis
) -> None:
    await deploy(project_id)
    old = await make_key(client, cast.developer, project_id)
    answer = await client.post(f"{PATH}{old['id']}/rotate", json={"grace_seconds": 2}, headers=cast.developer.headers)
    new = answer.json()["result"]
    await until(lambda: valkey.exists(entry_of(new)))
    assert await valkey.get(entry_of(old)) == await valkey.get(entry_of(new))
    assert 0 < await valkey.pttl(entry_of(old)) <= 2000
    assert await valkey.pttl(entry_of(new)) == -1

    async def is_over() -> bool:
        return not await valkey.exists(entry_of(old))

    await until(is_over)
    answer = await client.post(f"{PATH}{old['id']}/rotate", json={"grace_seconds": 0}, headers=cast.developer.headers)

    async def has_ended() -> bool:
        return not await valkey.exists(entry_of(new)) and bool(await valkey.exists(entry_of(answer.json()["result"])))

    await until(has_ended)


async def test_a_key_ends_with_its_expiry_by_itself(
    client: httpx.AsyncClient, cast: Cast, database: Database, project_id: str, tables: GatewayTables, valkey: Redis
) -> None:
    key = await make_key(client, cast.developer, project_id, expiry="30")
    async with database.write() as session:
        row = await session.get_one(Credential, UUID(key["id"]))
        row.expiry = now() + timedelta(seconds=1)
    await tables.apply_changes()
    assert await valkey.exists(entry_of(key))

    async def is_over() -> bool:
        return not await valkey.exists(entry_of(key))

    await until(is_over)
    assert not await tables.diff()


@pytest.mark.parametrize("loss", ["membership", "scope", "disabled", "project", "tenant"])
async def test_what_its_owner_loses_the_key_loses(
    client: httpx.AsyncClient,
    cast: Cast,
    database: Database,
    project_id: str,
    deploy: Deploy,
    tables: GatewayTables,
    valkey: Redis,
    loss: str,
) -> None:
    await deploy(project_id)
    key = await make_key(client, cast.developer, project_id)
    await tables.apply_changes()
    assert await opened(valkey, key) == {"chat"}
    async with database.write() as session:
        member = (await session.scalars(select(ProjectMember).where(ProjectMember.user_id == cast.developer.id))).one()
        user = await session.get_one(User, cast.developer.id)
        if loss == "membership":
            await session.delete(member)
        elif loss == "scope":
            member.scopes = []
        elif loss == "disabled":
            user.status = "deleted"
        elif loss == "project":
            (await session.get_one(Project, UUID(project_id))).status = "deleted"
        else:
            (await session.get_one(Tenant, cast.tenant_id)).is_active = False
    await tables.apply_changes()
    assert await opened(valkey, key) is None
    assert not await tables.diff()


async def test_a_key_opens_no_more_than_its_limits_say(
    client: httpx.AsyncClient, cast: Cast, project_id: str, deploy: Deploy, tables: GatewayTables, valkey: Redis
) -> None:
    one, other = await deploy(project_id), await deploy(project_id, name="other")
    narrow = await make_key(client, cast.developer, project_id, name="a", endpoint_ids=[str(one.id)])
    by_model = await make_key(client, cast.developer, project_id, name="b", model_ids=[str(other.model_id)])
    await tables.apply_changes()
    assert await opened(valkey, narrow) == {"chat"}
    assert await opened(valkey, by_model) == {"other"}


async def test_adapters_are_called_by_names_of_their_own(
    client: httpx.AsyncClient, cast: Cast, project_id: str, deploy: Deploy, tables: GatewayTables, valkey: Redis
) -> None:
    endpoint = await deploy(project_id)
    key = await make_key(client, cast.developer, project_id)
    owned = {"tenant_id": cast.tenant_id, "created_by": cast.manager.id}
    names = {"name": "chat-legal", "deployment_name": "legal-1", "model_id": uuid7(), "status": "running"}
    adapter = Adapter(id=uuid7(), endpoint_id=endpoint.id, **names, **owned)
    await add(tables.database, adapter)
    await tables.apply_changes()
    name = f"model_table:{adapter.id}"
    assert await opened(valkey, key) == {"chat", "chat-legal"}
    form = read_model(name, await valkey.get(name)).providers["vllm"].model_dump()
    assert (form["model_name"], form["api_base"]) == ("legal-1", "http://10.0.0.7:8000/v1")
    async with tables.database.write() as session:
        (await session.get_one(Endpoint, endpoint.id)).status = "deleted"
    await tables.apply_changes()
    assert await opened(valkey, key) == set()
    assert not await valkey.exists(name)
    assert not await tables.diff()


async def test_customers_reach_what_their_own_tenant_has_published(
    client: httpx.AsyncClient, cast: Cast, project_id: str, deploy: Deploy, tables: GatewayTables, valkey: Redis
) -> None:
    shown = await deploy(project_id, name="shown", is_published=True, published_date=now())
    await deploy(project_id, name="hidden")
    foreign = await create(client, cast.other_admin, name="Foreign")
    await deploy(foreign["id"], cast.other_admin, name="foreign", is_published=True, published_date=now())
    project = await create(client, cast.client)
    open_key = await make_key(client, cast.client, project["id"])
    limited = await make_key(client, cast.client, project["id"], name="b", endpoint_ids=[str(shown.id)])
    await tables.apply_changes()
    assert set(read_published(await valkey.get("published_model_info"))) == {"shown"}
    assert open_key["key"].startswith("bud_client_")
    assert await opened(valkey, open_key) == set()  # the gateway adds the published ones
    assert await opened(valkey, limited) == {"shown"}


async def test_no_entry_names_anything_of_another_tenant(
    client: httpx.AsyncClient, cast: Cast, project_id: str, deploy: Deploy, tables: GatewayTables, valkey: Redis
) -> None:
    await deploy(project_id)
    foreign = await create(client, cast.other_admin, name="Foreign")
    theirs = await deploy(foreign["id"], cast.other_admin, name="theirs")
    key = await make_key(client, cast.developer, project_id)
    their_key = await make_key(client, cast.other_admin, foreign["id"])
    await tables.rebuild()
    found = await all_entries(valkey)
    assert str(theirs.id) not in found[entry_of(key)]
    assert set(read_key(found[entry_of(their_key)])[0]) == {"theirs"}
    assert project_id not in found[entry_of(their_key)]


async def test_prices_settings_and_fallbacks_have_the_gateways_forms(
    client: httpx.AsyncClient,
    cast: Cast,
    database: Database,
    project_id: str,
    deploy: Deploy,
    tables: GatewayTables,
    valkey: Redis,
) -> None:
    other = await deploy(project_id, name="other")
    settings = {
        "rate_limits": {"algorithm": "token_bucket", "requests_per_minute": 60, "burst_size": None, "enabled": True},
        "retry_config": {"num_retries": 2, "max_delay_s": 5},
        "fallback_config": {"fallback_models": [str(other.id), "gone"]},
    }
    cost = {"input_cost_per_token": "0.0000025", "output_cost_per_token": "0.00001", "currency": "USD"}
    endpoint = await deploy(project_id, deployment_settings=settings, inference_cost=cost)
    price = DeploymentPricing(
        tenant_id=cast.tenant_id,
        endpoint_id=endpoint.id,
        input_cost=Decimal("0.25"),
        output_cost=Decimal("0.5"),
        created_by=cast.manager.id,
    )
    await add(database, price)
    await tables.apply_changes()
    name = f"model_table:{endpoint.id}"
    model = read_model(name, await valkey.get(name))
    assert model.fallback_models == [str(other.id)]
    assert model.retry_config is not None
    assert model.rate_limits is not None
    assert (model.retry_config.num_retries, model.rate_limits.requests_per_minute) == (2, 60)
    assert model.pricing is not None
    assert (model.pricing.input_cost, model.pricing.per_tokens) == (0.25, 1000)
    assert model.inference_cost is not None
    assert model.inference_cost.output_cost == 0.00001
    async with database.write() as session:
        (await session.get_one(Endpoint, other.id)).status = "deleted"
    await tables.apply_changes()
    assert read_model(name, await valkey.get(name)).fallback_models is None
    assert not await tables.diff()


async def test_the_gateway_gets_providers_keys_for_its_eyes_only(
    app: FastAPI,
    client: httpx.AsyncClient,
    cast: Cast,
    database: Database,
    project_id: str,
    deploy: Deploy,
    tables: GatewayTables,
    valkey: Redis,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    secret = "sk-0123456789abcdef-secret"
    body = {"name": "Main", "type": "openai", "other_provider_creds": {"api_key": secret}}
    made = await client.post("/proprietary/credentials/", json=body, headers=cast.developer.headers)
    credential_id = UUID(made.json()["result"]["id"])
    cloud = {"source": "openai", "provider_type": "cloud_model", "credential_id": credential_id}
    endpoint = await deploy(project_id, namespace="gpt-4o", **cloud)
    key = await make_key(client, cast.developer, project_id)
    await tables.apply_changes()
    name = f"model_table:{endpoint.id}"
    assert await opened(valkey, key) == set()  # nobody can read the provider's key: no public key is configured
    assert not await valkey.exists(name)
    assert "GATEWAY_PUBLIC_KEY" in (await tables.diff()).refused[endpoint.id]
    private = rsa.generate_private_key(65537, 2048)
    pem = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    monkeypatch.setattr(components_of(app)[Recipients], "gateway", Recipients(pem, None).gateway)
    await tables.rebuild()
    model = read_model(name, await valkey.get(name))
    assert model.providers["openai"].model_dump()["api_key_location"] == f"dynamic::store_{endpoint.id}"
    assert model.api_key
    assert secret not in str(await all_entries(valkey))
    assert await opened(valkey, key) == {"chat"}
    assert await tables.rebuild() == 0
    assert not await tables.diff()


async def test_valkey_emptied_while_serving_is_built_again(
    client: httpx.AsyncClient, cast: Cast, project_id: str, deploy: Deploy, worker: GatewayWorker, valkey: Redis
) -> None:
    await deploy(project_id)
    key = await make_key(client, cast.developer, project_id)
    await until(lambda: valkey.exists(entry_of(key)))
    before = await all_entries(valkey)
    await valkey.flushdb()

    async def is_back() -> bool:
        return await all_entries(valkey) == before

    await until(is_back)


async def test_while_valkey_is_down_changes_are_kept(
    client: httpx.AsyncClient,
    cast: Cast,
    database: Database,
    project_id: str,
    deploy: Deploy,
    tables: GatewayTables,
    valkey: Redis,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await deploy(project_id)
    key = await make_key(client, cast.developer, project_id)
    down = connect_nowhere()
    monkeypatch.setattr(tables.store, "_valkey", down)
    with pytest.raises((ConnectionLost, OSError)):
        await tables.apply_changes()
    revoked = await make_key(client, cast.developer, project_id, name="revoked")
    await client.delete(PATH + revoked["id"], headers=cast.developer.headers)
    async with database.read() as session:
        assert await session.scalar(select(GatewayChange.id).limit(1)) is not None
    monkeypatch.setattr(tables.store, "_valkey", valkey)
    await tables.apply_changes()
    assert await opened(valkey, key) == {"chat"}
    assert await opened(valkey, revoked) is None
    assert not await tables.diff()
    await down.aclose()


def connect_nowhere() -> Redis:
    return Redis(port=1, socket_connect_timeout=1)


async def test_the_state_of_the_last_commit_wins_whoever_writes_last(
    client: httpx.AsyncClient, cast: Cast, database: Database, project_id: str, deploy: Deploy, tables: GatewayTables
) -> None:
    """Many writers, each at its own pace, while what they write from goes on changing."""
    endpoint = await deploy(project_id)
    stores = [GatewayTables(tables.database, GatewayStore(tables.store._valkey), tables.settings, tables.credentials)]
    stores += [tables] * 3

    async def write(writer: GatewayTables) -> None:
        for _ in range(8):
            await writer.apply_changes()
            await asyncio.sleep(0)

    async def change() -> None:
        for number in range(12):
            async with database.write() as session:
                row = await session.get_one(Endpoint, endpoint.id)
                row.namespace = f"version-{number}"
            await asyncio.sleep(0.01)

    for _ in range(3):
        await asyncio.gather(change(), *(write(writer) for writer in stores))
        await tables.apply_changes()
        text = await tables.store._valkey.get(f"model_table:{endpoint.id}")
        model = read_model(f"model_table:{endpoint.id}", text)
        assert model.providers["vllm"].model_dump()["model_name"] == "version-11"


async def test_an_older_version_never_replaces_a_newer_one(tables: GatewayTables, valkey: Redis) -> None:
    name = "api_key:x"

    async def write(version: int) -> None:
        entries = {} if version % 3 == 0 else {name: Entry(json.dumps({"version": version}))}
        await GatewayStore(valkey).write(version, [name], entries)

    for last in (40, 41, 42):
        await asyncio.gather(*(write(version) for version in sorted(range(1, last + 1), key=lambda n: n * 7919 % 43)))
        expected = None if last % 3 == 0 else {"version": last}
        found = await valkey.get(name)
        assert (json.loads(found) if found else None) == expected
        assert await valkey.hget(VERSIONS, name) == str(last)
        await valkey.flushdb()


async def test_diff_names_what_is_wrong_and_the_job_mends_it(
    client: httpx.AsyncClient, cast: Cast, project_id: str, deploy: Deploy, tables: GatewayTables, valkey: Redis
) -> None:
    endpoint = await deploy(project_id)
    key = await make_key(client, cast.developer, project_id)
    await tables.apply_changes()
    await tables.rebuild()
    right = await all_entries(valkey)
    assert not await tables.diff()
    await valkey.delete(f"model_table:{endpoint.id}")
    await valkey.set(entry_of(key), "{}")
    await valkey.set("api_key:nobodys", "{}")
    await valkey.set("api_key:of-a-session", "{}", ex=60)
    found = await tables.diff()
    assert found.missing == [f"model_table:{endpoint.id}"]
    assert found.different == [entry_of(key)]
    assert found.extra == ["api_key:nobodys"]
    await tables.mend()
    assert await valkey.exists("api_key:of-a-session")
    await valkey.delete("api_key:of-a-session")
    assert await all_entries(valkey) == right
    async with tables.database.write() as session:
        await session.execute(text("delete from credential"))  # past the ORM: only the job finds out
    await tables.apply_changes()
    assert (await tables.diff()).extra == [entry_of(key)]
    await tables.mend()
    assert not await tables.diff()


async def test_a_statement_for_many_rows_has_everything_worked_out_anew(
    client: httpx.AsyncClient, cast: Cast, project_id: str, deploy: Deploy, tables: GatewayTables, valkey: Redis
) -> None:
    await deploy(project_id)
    key = await make_key(client, cast.developer, project_id)
    await tables.apply_changes()
    async with tables.database.write() as session:
        await session.execute(update(Endpoint).values(status="failure"))
    await tables.apply_changes()
    assert await opened(valkey, key) == set()
