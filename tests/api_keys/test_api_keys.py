import hashlib
import re
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from fastapi import FastAPI
from sqlalchemy import select, text, update

from budapp.api_key_ops.models import Credential
from budapp.api_key_ops.secrets import is_well_formed, lookup_hash, new_secret
from budapp.api_key_ops.upkeep import take_over_uses, tell_of_expiry
from budapp.commons.database import Database, now
from budapp.commons.domain import components_of
from budapp.integrations.dapr import DaprClient
from budapp.integrations.recipients import Recipients
from budapp.user_ops.callers import Callers
from budapp.user_ops.models import User, UserStatus
from tests.api_keys.data import PATH, keys_seen, make_key
from tests.cast import Cast, Person
from tests.logs import Logged
from tests.peers.conftest import StandIn, environment, stand_in
from tests.projects.data import (
    MISSING,
    add,
    create,
    credential_row,
    endpoint_row,
    join,
    messages,
    project_row,
)

__all__ = ["environment", "stand_in"]

GRACE = {"grace_seconds": 0}


@pytest.fixture
async def budmetrics(stand_in: Callable[[str], StandIn]) -> AsyncIterator[StandIn]:
    peer = stand_in("budmetrics")
    yield peer
    await peer.http.delete("/control/usage")


@pytest.fixture
async def project_id(client: httpx.AsyncClient, cast: Cast, database: Database) -> str:
    """A project of the manager, which the developer takes part in."""
    found: str = (await create(client, cast.manager))["id"]
    await join(database, found, cast.developer)
    return found


async def stored(database: Database, key_id: str) -> Credential:
    async with database.read() as session:
        return (await session.scalars(select(Credential).where(Credential.id == UUID(key_id)))).one()


async def tell_use(settings: StandIn, key_id: str, used: datetime) -> None:
    body = {"last_used_at": used.isoformat()}
    assert (await settings.http.put(f"/control/credential-usage/{key_id}", json=body)).status_code == 200


async def refusal(client: httpx.AsyncClient, person: Person, project: str, **fields: Any) -> tuple[int, Any]:
    body = {"name": "CI", "project_id": project, **fields}
    answer = (await client.post(PATH, json=body, headers=person.headers)).json()
    return answer["code"], answer["param"]


async def test_a_secret_is_shown_once_and_kept_nowhere(
    client: httpx.AsyncClient, cast: Cast, database: Database, project_id: str, logged: Logged
) -> None:
    made = await make_key(client, cast.developer, project_id, expiry="30", max_budget="12.5")
    secret = made["key"]
    assert re.fullmatch(r"bud_admin_[A-Za-z0-9_-]{49}", secret)
    assert is_well_formed(secret)
    [listed] = await keys_seen(client, cast.developer)
    assert listed["key"] == f"bud_admin_********{secret[-4:]}"
    assert (listed["project"]["id"], listed["max_budget"], listed["is_expired"]) == (project_id, 12.5, False)
    row = await stored(database, made["id"])
    assert row.hashed_key == hashlib.sha256(f"bud-{secret}".encode()).hexdigest()
    async with database.read() as session:
        everything = [
            await session.scalar(text(f'select string_agg(t::text, chr(10)) from "{table}" t'))
            for table in ("credential", "audit_trail", "outbox_message")
        ]
    assert secret not in str(everything)
    assert secret not in str(logged)


async def test_a_typing_error_is_told_from_a_revoked_key(
    client: httpx.AsyncClient, cast: Cast, project_id: str, database: Database
) -> None:
    made = await make_key(client, cast.developer, project_id)

    async def outcome(key: str, person: Person = cast.developer) -> str:
        answer = await client.post(f"{PATH}verify", json={"key": key}, headers=person.headers)
        found: str = answer.json()["result"]["outcome"]
        return found

    assert await outcome(made["key"]) == "valid"
    swapped = made["key"][:12] + ("x" if made["key"][12] != "x" else "y") + made["key"][13:]
    assert await outcome(swapped) == "malformed"
    assert await outcome(new_secret("admin")) == "unknown"
    for stranger in (cast.tester, cast.other_admin):
        assert await outcome(made["key"], stranger) == "unknown"
    async with database.write() as session:
        await session.execute(text("update credential set key_hmac = 'derived-x:00'"))
    assert await outcome(made["key"]) == "unknown"
    await client.delete(PATH + made["id"], headers=cast.developer.headers)
    assert await outcome(made["key"]) == "unknown"


@pytest.mark.parametrize(
    ("fields", "outcome"),
    [
        ({"name": " "}, (422, "name")),
        ({"name": None}, (422, None)),
        ({"expiry": "45"}, (422, "expiry")),
        ({"max_budget": 0}, (422, "max_budget")),
        ({"max_budget": "1e400"}, (422, "max_budget")),
        ({"ip_whitelist": ["10.0.0.300"]}, (400, "ip_whitelist")),
        ({"ip_whitelist": ["10.0.0.0/33"]}, (400, "ip_whitelist")),
        ({"ip_whitelist": ["fe80::1%eth0"]}, (400, "ip_whitelist")),
        ({"endpoint_ids": [str(MISSING)]}, (404, "endpoint_ids")),
        ({"model_ids": [str(MISSING)]}, (404, "model_ids")),
        ({"model_budgets": {str(MISSING): 5}}, (404, "model_budgets")),
        ({"max_budget": 4, "model_budgets": {str(MISSING): 5}}, (422, "model_budgets")),
        ({"credential_type": "client_app"}, (400, "credential_type")),
        ({"project_id": str(MISSING)}, (404, None)),
    ],
)
async def test_what_a_key_can_not_be(
    client: httpx.AsyncClient, cast: Cast, project_id: str, fields: dict[str, Any], outcome: tuple[int, str | None]
) -> None:
    code, param = await refusal(client, cast.developer, project_id, **fields)
    assert code == outcome[0]
    assert outcome[1] is None or param == outcome[1]


async def test_a_key_is_not_limited_to_what_is_elsewhere(
    client: httpx.AsyncClient, cast: Cast, database: Database, project_id: str
) -> None:
    own = await create(client, cast.manager, name="Elsewhere")
    foreign = await create(client, cast.other_admin, name="Foreign")
    made = await make_key(client, cast.developer, project_id)
    for project, person in ((own, cast.manager), (foreign, cast.other_admin)):
        endpoint = endpoint_row(project["id"], person, name=project["name"], is_published=True)
        await add(database, endpoint)
        limits: dict[str, Any] = {"endpoint_ids": [str(endpoint.id)], "model_ids": [str(endpoint.model_id)]}
        limits["model_budgets"] = {str(endpoint.model_id): 1}
        for name, value in limits.items():
            assert await refusal(client, cast.developer, project_id, name="x", **{name: value}) == (404, name)
            changed = await client.put(PATH + made["id"], json={name: value}, headers=cast.developer.headers)
            assert (changed.status_code, changed.json()["param"]) == (404, name)


async def test_limits_are_kept_exactly(
    client: httpx.AsyncClient, cast: Cast, database: Database, project_id: str
) -> None:
    endpoint = endpoint_row(project_id, cast.manager)
    await add(database, endpoint)
    made = await make_key(
        client,
        cast.developer,
        project_id,
        max_budget="0.300001",
        model_budgets={str(endpoint.model_id): "0.1"},
        ip_whitelist=["203.0.113.7", "203.0.113.9/24", "2001:DB8::1", "2001:db8::/32"],
        endpoint_ids=[str(endpoint.id)],
        model_ids=[str(endpoint.model_id)],
    )
    row = await stored(database, made["id"])
    assert (str(row.max_budget), row.model_budgets) == ("0.300001", {str(endpoint.model_id): "0.1"})
    assert row.ip_whitelist == ["203.0.113.7", "203.0.113.0/24", "2001:db8::1", "2001:db8::/32"]
    assert made["endpoint_ids"] == [str(endpoint.id)]
    path = PATH + made["id"]
    body: dict[str, Any] = {"max_budget": "0.05"}
    assert (await client.put(path, json=body, headers=cast.developer.headers)).status_code == 422
    body = {"max_budget": None, "endpoint_ids": None}
    changed = (await client.put(path, json=body, headers=cast.developer.headers)).json()["result"]
    assert (changed["max_budget"], changed["endpoint_ids"]) == (None, None)
    assert changed["model_ids"] == [str(endpoint.model_id)]


async def test_expiry_follows_the_request_or_the_tenant(
    client: httpx.AsyncClient, cast: Cast, database: Database, project_id: str
) -> None:
    def days(key: dict[str, Any]) -> int | None:
        left = datetime.fromisoformat(key["expiry"]) - datetime.now(UTC) if key["expiry"] else None
        return round(left / timedelta(days=1)) if left else None

    assert days(await make_key(client, cast.developer, project_id, name="a")) is None
    body = {"default_expiry_days": 90, "notify_days": 3}
    refused = await client.put(f"{PATH}settings", json=body, headers=cast.developer.headers)
    assert refused.status_code == 403
    assert (await client.put(f"{PATH}settings", json=body, headers=cast.admin.headers)).status_code == 200
    assert (await client.get(f"{PATH}settings", headers=cast.developer.headers)).json()["result"] == body
    assert days(await make_key(client, cast.developer, project_id, name="b")) == 90
    assert days(await make_key(client, cast.developer, project_id, name="c", expiry=0)) is None
    key = await make_key(client, cast.developer, project_id, name="d", expiry="30")
    assert days(key) == 30
    changed = await client.put(PATH + key["id"], json={"expiry": "60"}, headers=cast.developer.headers)
    assert days(changed.json()["result"]) == 60


async def test_a_name_is_taken_once_in_a_project(client: httpx.AsyncClient, cast: Cast, project_id: str) -> None:
    made = await make_key(client, cast.developer, project_id)
    assert await refusal(client, cast.manager, project_id, name="ci") == (409, "name")
    same = await client.put(PATH + made["id"], json={"name": "CI"}, headers=cast.developer.headers)
    assert same.status_code == 200


async def test_rotation_keeps_the_id_and_both_secrets_for_a_while(
    client: httpx.AsyncClient, cast: Cast, database: Database, project_id: str
) -> None:
    made = await make_key(client, cast.developer, project_id, expiry="30")
    path = f"{PATH}{made['id']}/rotate"
    body = {"grace_seconds": 3600}
    rotated = (await client.post(path, json=body, headers=cast.developer.headers)).json()["result"]
    assert (rotated["id"], rotated["name"], rotated["expiry"]) == (made["id"], made["name"], made["expiry"])
    assert rotated["key"] != made["key"]
    row = await stored(database, made["id"])
    assert row.hashed_key == lookup_hash(rotated["key"])
    assert row.previous_hashed_key == lookup_hash(made["key"])
    for key in (made["key"], rotated["key"]):
        answer = await client.post(f"{PATH}verify", json={"key": key}, headers=cast.developer.headers)
        assert answer.json()["result"] == {"outcome": "valid", "id": made["id"], "name": "CI"}
    async with database.write() as session:
        await session.execute(update(Credential).values(previous_expires_at=now()))
    answer = await client.post(f"{PATH}verify", json={"key": made["key"]}, headers=cast.developer.headers)
    assert answer.json()["result"]["outcome"] == "expired"
    await client.post(path, json={"grace_seconds": 0}, headers=cast.developer.headers)
    assert (await stored(database, made["id"])).previous_hashed_key is None
    assert (await client.post(path, json=body, headers=cast.admin.headers)).status_code == 403


async def test_people_see_their_own_keys_and_administrators_all(
    client: httpx.AsyncClient, cast: Cast, database: Database, project_id: str
) -> None:
    await join(database, project_id, cast.tester)
    mine = await make_key(client, cast.developer, project_id, name="mine")
    await make_key(client, cast.tester, project_id, name="theirs")
    assert [key["name"] for key in await keys_seen(client, cast.developer)] == ["mine"]
    assert {key["name"] for key in await keys_seen(client, cast.admin)} == {"mine", "theirs"}
    assert await keys_seen(client, cast.other_admin) == []
    for stranger in (cast.tester, cast.other_admin, cast.other_developer):
        path = PATH + mine["id"]
        assert (await client.put(path, json={"name": "x"}, headers=stranger.headers)).status_code == 404
        assert (await client.post(f"{path}/rotate", json=GRACE, headers=stranger.headers)).status_code == 404
        assert (await client.delete(path, headers=stranger.headers)).status_code == 404
    assert (await client.delete(PATH + mine["id"], headers=cast.admin.headers)).status_code == 200


async def test_nobody_makes_a_key_for_what_they_may_not_call(
    client: httpx.AsyncClient, cast: Cast, database: Database, project_id: str
) -> None:
    assert await refusal(client, cast.tester, project_id) == (404, None)
    await join(database, project_id, cast.tester, scopes=())
    assert (await refusal(client, cast.tester, project_id))[0] == 403
    assert (await refusal(client, cast.client, project_id))[0] == 404
    assert (await refusal(client, cast.other_admin, project_id))[0] == 404


async def test_customers_have_keys_of_their_own_kind(client: httpx.AsyncClient, cast: Cast, database: Database) -> None:
    project = await create(client, cast.client)
    made = await make_key(client, cast.client, project["id"])
    assert made["key"].startswith("bud_client_")
    assert made["credential_type"] == "client_app"
    sent = [payload["payload"]["type"] for _, payload in await messages(database)]
    assert "credential_creation" in sent
    endpoint = endpoint_row(project["id"], cast.client)
    await add(database, endpoint)
    limited = await make_key(client, cast.client, project["id"], name="b", endpoint_ids=[str(endpoint.id)])
    assert limited["key"].startswith("bud_customer_")
    budgets = {str(endpoint.model_id): "1"}
    budgeted = await make_key(client, cast.client, project["id"], name="c", model_budgets=budgets)
    assert budgeted["key"].startswith("bud_customer_"), "the gateway would open the model whatever its budget"
    for name, limit in (("endpoint_ids", [str(endpoint.id)]), ("model_budgets", budgets)):
        refused = await client.put(PATH + made["id"], json={name: limit}, headers=cast.client.headers)
        assert (refused.status_code, refused.json()["param"]) == (400, name)
    renamed = await client.put(PATH + made["id"], json={"name": "d", "model_budgets": {}}, headers=cast.client.headers)
    assert renamed.status_code == 200, renamed.text
    theirs = await create(client, cast.other_admin, project_type="client_app")
    elsewhere = await make_key(client, cast.other_admin, theirs["id"], credential_type="client_app")
    assert elsewhere["key"].startswith("bud_customer_"), "the gateway would open what the platform has published"


async def test_all_keys_of_a_person_or_a_project_are_revoked_at_once(
    client: httpx.AsyncClient, cast: Cast, database: Database, project_id: str
) -> None:
    await join(database, project_id, cast.tester)

    async def revoke(person: Person, **body: str) -> tuple[int, int | None]:
        answer = await client.post(f"{PATH}revoke", json=body, headers=person.headers)
        return answer.status_code, answer.json().get("revoked")

    for name, owner in (("a", cast.developer), ("b", cast.developer), ("c", cast.tester)):
        await make_key(client, owner, project_id, name=name)
    assert (await revoke(cast.tester, user_id=str(cast.developer.id)))[0] == 403
    assert (await revoke(cast.other_admin, user_id=str(cast.developer.id)))[0] == 404
    assert (await revoke(cast.other_admin, project_id=project_id))[0] == 404
    assert (await revoke(cast.developer, project_id=project_id))[0] == 403
    assert (await revoke(cast.admin))[0] == 422
    assert await revoke(cast.admin, user_id=str(cast.developer.id)) == (200, 2)
    assert await revoke(cast.manager, project_id=project_id, user_id=str(cast.tester.id)) == (200, 1)
    assert await keys_seen(client, cast.admin) == []


async def test_the_owners_browser_reads_the_secret_again_and_nobody_elses(
    app: FastAPI,
    client: httpx.AsyncClient,
    cast: Cast,
    project_id: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    private = rsa.generate_private_key(65537, 2048)
    pem = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    monkeypatch.setattr(components_of(app)[Recipients], "browser", Recipients(None, pem).browser)
    made = await make_key(client, cast.developer, project_id)
    [listed] = await keys_seen(client, cast.developer)
    oaep = padding.OAEP(padding.MGF1(SHA256()), SHA256(), None)
    assert private.decrypt(bytes.fromhex(listed["key"]), oaep).decode() == made["key"]
    [seen] = await keys_seen(client, cast.admin)
    assert seen["key"].startswith("bud_admin_********")


async def test_owners_are_told_once_before_a_key_expires(
    client: httpx.AsyncClient, cast: Cast, database: Database, project_id: str
) -> None:
    soon = await make_key(client, cast.developer, project_id, name="soon", expiry="30")
    await make_key(client, cast.developer, project_id, name="later", expiry="30")
    async with database.write() as session:
        near = update(Credential).where(Credential.id == UUID(soon["id"]))
        await session.execute(near.values(expiry=now() + timedelta(days=6)))
        await session.execute(text("delete from outbox_message"))
    assert await tell_of_expiry(database) == 1
    assert await tell_of_expiry(database) == 0
    [(_, payload)] = await messages(database)
    assert payload["subscriber_ids"] == [str(cast.developer.id)]
    assert payload["payload"]["type"] == "credential_expiry"
    assert payload["payload"]["content"]["title"] == "soon"


async def test_owners_are_told_again_of_a_key_that_was_prolonged_and_not_of_one_that_is_over(
    client: httpx.AsyncClient, cast: Cast, database: Database, project_id: str
) -> None:
    made = await make_key(client, cast.developer, project_id, expiry="30")

    async def expires_in(time: timedelta) -> int:
        async with database.write() as session:
            await session.execute(update(Credential).values(expiry=now() + time))
        return await tell_of_expiry(database)

    assert await expires_in(-timedelta(minutes=1)) == 0
    body = {"default_expiry_days": None, "notify_days": 2}
    assert (await client.put(f"{PATH}settings", json=body, headers=cast.admin.headers)).status_code == 200
    assert await expires_in(timedelta(days=3)) == 0
    assert await expires_in(timedelta(days=1)) == 1
    prolonged = await client.put(PATH + made["id"], json={"expiry": "30"}, headers=cast.developer.headers)
    assert prolonged.status_code == 200
    assert await expires_in(timedelta(days=1)) == 1


async def test_a_secret_before_the_rotation_never_outlives_the_key(
    client: httpx.AsyncClient, cast: Cast, database: Database, project_id: str
) -> None:
    made = await make_key(client, cast.developer, project_id, expiry="30")
    path = f"{PATH}{made['id']}/rotate"

    async def rotated(expiry: datetime) -> httpx.Response:
        async with database.write() as session:
            await session.execute(update(Credential).values(expiry=expiry))
        return await client.post(path, json={"grace_seconds": 7200}, headers=cast.developer.headers)

    soon = now() + timedelta(hours=1)
    assert (await rotated(soon)).status_code == 200
    assert (await stored(database, made["id"])).previous_expires_at == soon
    over = await rotated(now())
    assert (over.status_code, over.json()["param"]) == (400, "expiry")


async def test_a_secret_opens_the_playground_no_longer_than_it_counts(
    client: httpx.AsyncClient, cast: Cast, database: Database, project_id: str
) -> None:
    made = await make_key(client, cast.developer, project_id)
    path = f"{PATH}{made['id']}/rotate"
    fresh = (await client.post(path, json={"grace_seconds": 3600}, headers=cast.developer.headers)).json()["result"]

    async def opened() -> list[int]:
        secrets = (made["key"], fresh["key"])
        answers = [await client.get("/playground/deployments", headers={"api-key": secret}) for secret in secrets]
        return [answer.status_code for answer in answers]

    assert await opened() == [200, 200]
    async with database.write() as session:
        await session.execute(update(Credential).values(previous_expires_at=now()))
    assert await opened() == [400, 200]


async def test_a_key_opens_nothing_while_its_owner_must_set_a_password(
    app: FastAPI, client: httpx.AsyncClient, cast: Cast, database: Database, project_id: str
) -> None:
    secret = (await make_key(client, cast.developer, project_id))["key"]
    async with database.write() as session:
        (await session.get_one(User, cast.developer.id)).status = UserStatus.INVITED
    components_of(app)[Callers].forget_all()
    answer = await client.get("/playground/deployments", headers={"api-key": secret})
    assert (answer.status_code, answer.json()["param"]) == (403, "password")


async def test_keys_of_benchmarks_are_not_listed(
    client: httpx.AsyncClient, cast: Cast, database: Database, project_id: str
) -> None:
    hidden = project_row(cast.manager, "Benchmark", benchmark=True)
    await add(database, hidden)
    await add(database, credential_row(str(hidden.id), cast.developer, "of the benchmark"))
    await make_key(client, cast.developer, project_id)
    assert [key["name"] for key in await keys_seen(client, cast.admin)] == ["CI"]


async def test_uses_are_taken_over_from_budmetrics_and_never_set_back(
    app: FastAPI,
    client: httpx.AsyncClient,
    cast: Cast,
    database: Database,
    project_id: str,
    budmetrics: StandIn,
) -> None:
    made = await make_key(client, cast.developer, project_id)
    dapr = components_of(app)[DaprClient]
    await take_over_uses(database, dapr)
    first = (await stored(database, made["id"])).last_used_at
    assert first is None
    used = datetime.now(UTC) - timedelta(minutes=2)
    await tell_use(budmetrics, made["id"], used)
    await take_over_uses(database, dapr)
    assert (await stored(database, made["id"])).last_used_at == used
    await tell_use(budmetrics, made["id"], used - timedelta(minutes=1))
    await take_over_uses(database, dapr)
    assert (await stored(database, made["id"])).last_used_at == used
    [listed] = await keys_seen(client, cast.developer)
    assert listed["last_used_at"] is not None
    long_ago = datetime.now(UTC) - timedelta(days=3)
    async with database.write() as session:
        await session.execute(update(Credential).values(last_used_at=long_ago))
    during_an_outage = long_ago + timedelta(days=1)
    await tell_use(budmetrics, made["id"], during_an_outage)
    await take_over_uses(database, dapr)
    assert (await stored(database, made["id"])).last_used_at == during_an_outage


async def test_a_token_of_the_hub_is_kept_as_a_providers_credential(
    client: httpx.AsyncClient, cast: Cast, logged: Logged
) -> None:
    body = {"type": "huggingface", "key": "hf_abcdefghijklmnopqrst"}
    answer = await client.post(PATH, json=body, headers=cast.developer.headers)
    assert (answer.status_code, answer.json()["success"]) == (201, True)
    assert body["key"] not in answer.text + str(logged)
    listed = await client.get("/proprietary/credentials/?type=huggingface", headers=cast.developer.headers)
    assert listed.json()["total_record"] == 1


def test_checksums_find_single_mistakes() -> None:
    secret = new_secret("client")
    for place in range(11, len(secret)):
        for other in "aZ0_":
            if secret[place] != other:
                assert not is_well_formed(secret[:place] + other + secret[place + 1 :])
    assert len({new_secret("client") for _ in range(100)}) == 100
