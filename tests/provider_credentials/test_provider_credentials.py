import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from uuid import UUID

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from fastapi import FastAPI
from sqlalchemy import select, text
from uuid_utils.compat import uuid7

from budapp.commons.access import Caller
from budapp.commons.database import Database
from budapp.commons.domain import components_of
from budapp.commons.encryption import Encryption
from budapp.commons.errors import BadRequest, NotFound
from budapp.integrations.outgoing import Outgoing
from budapp.integrations.recipients import Recipients
from budapp.model_ops.models import Model
from budapp.provider_credential_ops.fields import fields_of
from budapp.provider_credential_ops.models import ProviderCredential
from budapp.provider_credential_ops.schemas import CredentialCreate
from budapp.provider_credential_ops.services import ProviderCredentials, require_credential
from budapp.provider_ops.catalog import read_catalog
from budapp.provider_ops.models import Provider
from tests.cast import Cast, Person
from tests.logs import Logged
from tests.projects.data import MISSING, add, create, endpoint_row, join

PATH = "/proprietary/credentials/"
KEY = "sk-live-0123456789abcdefXYZW"


@pytest.fixture(autouse=True)
async def provider(database: Database) -> Provider:
    openai = Provider(id=uuid7(), name="OpenAI", type="openai", icon="icons/providers/openai.svg")
    await add(database, openai)
    return openai


async def keep(client: httpx.AsyncClient, person: Person, **fields: Any) -> dict[str, Any]:
    body = {"name": "Main", "type": "openai", "other_provider_creds": {"api_key": KEY}, **fields}
    answer = await client.post(PATH, json=body, headers=person.headers)
    assert answer.status_code == 201, answer.text
    assert answer.json()["success"] is True
    found: dict[str, Any] = answer.json()["result"]
    return found


async def refusal(client: httpx.AsyncClient, person: Person, **fields: Any) -> tuple[int, str, str]:
    body = {"name": "Main", "type": "openai", "other_provider_creds": {"api_key": KEY}, **fields}
    answer = (await client.post(PATH, json=body, headers=person.headers)).json()
    return answer["code"], answer["param"], answer["message"]


async def model_row(database: Database, person: Person, source: str = "openai") -> Model:
    model = Model(
        id=uuid7(),
        tenant_id=person.tenant_id,
        created_by=person.id,
        name="gpt-4o",
        modality=["text_input"],
        source=source,
        provider_type="cloud_model",
        uri=f"{source}/gpt-4o",
        supported_endpoints=["/v1/chat/completions"],
    )
    await add(database, model)
    return model


async def deploy(
    client: httpx.AsyncClient, database: Database, person: Person, credential_id: str | None, source: str = "openai"
) -> str:
    project = await create(client, person, name="Atlas")
    model = await model_row(database, person, source)
    linked = UUID(credential_id) if credential_id else None
    endpoint = endpoint_row(project["id"], person, model_id=model.id, credential_id=linked)
    await add(database, endpoint)
    return str(endpoint.id)


async def test_a_credential_is_kept_and_never_returned_whole(
    client: httpx.AsyncClient, cast: Cast, database: Database, provider: Provider, logged: Logged
) -> None:
    made = await keep(client, cast.developer, other_provider_creds={"api_key": KEY, "api_base": "https://ai.test/v1"})
    shown = {"api_key": "********XYZW", "api_base": "https://ai.test/v1"}
    assert made == {"id": made["id"], "name": "Main", "type": "openai", "other_provider_creds": shown}
    for person in (cast.developer, cast.admin):
        for path in (PATH, f"{PATH}{made['id']}/details", f"{PATH}{made['id']}/detailed-view"):
            answer = await client.get(path, headers=person.headers)
            assert answer.status_code == 200
            assert KEY not in answer.text
    [listed] = (await client.get(PATH, headers=cast.manager.headers)).json()["credentials"]
    assert listed["provider_icon"] == provider.icon
    assert (listed["num_of_endpoints"], listed["other_provider_creds"]) == (0, shown)
    async with database.read() as session:
        stored = await session.scalar(text("select p::text from proprietary_credential p"))
        trail = await session.scalar(text("select string_agg(a::text, '') from audit_trail a"))
    assert KEY not in stored
    assert KEY not in (trail or "")
    assert KEY not in str(logged)


async def test_only_the_row_that_it_was_sealed_for_opens_a_secret(
    app: FastAPI, client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    one, other = await keep(client, cast.developer), await keep(client, cast.developer, name="Other")
    async with database.read() as session:
        row = await session.scalar(select(ProviderCredential).where(ProviderCredential.id == UUID(one["id"])))
    assert row is not None
    encryption = components_of(app)[Encryption]
    opened = encryption.decrypt(row.secrets_encrypted, f"proprietary_credential:{one['id']}")
    assert json.loads(opened) == {"api_key": KEY}
    with pytest.raises(Exception, match="belongs elsewhere"):
        encryption.decrypt(row.secrets_encrypted, f"proprietary_credential:{other['id']}")


@pytest.mark.parametrize(
    ("fields", "outcome"),
    [
        ({"other_provider_creds": {}}, (422, "other_provider_creds", "api_key is required")),
        ({"other_provider_creds": None}, (422, "other_provider_creds", "api_key is required")),
        ({"other_provider_creds": {"api_key": 5}}, (422, "other_provider_creds", "api_key must be a text")),
        (
            {"other_provider_creds": {"api_key": "a", "org": "b"}},
            (422, "other_provider_creds", "org is no field of this provider; these are: api_key, api_base"),
        ),
        (
            {"other_provider_creds": {"api_key": "a", "api_base": "nowhere"}},
            (422, "other_provider_creds", "api_base must be a web address, such as https://example.com"),
        ),
        (
            {"other_provider_creds": {"api_key": "a\nb"}},
            (422, "other_provider_creds", "api_key must be one line of at most 4000 characters"),
        ),
        ({"type": "unheard-of"}, (404, "type", "Provider not found")),
        ({"provider_id": str(MISSING)}, (404, "provider_id", "Provider not found")),
    ],
)
async def test_a_credential_has_the_fields_of_its_provider(
    client: httpx.AsyncClient, cast: Cast, fields: dict[str, Any], outcome: tuple[int, str, str]
) -> None:
    assert await refusal(client, cast.developer, **fields) == outcome


async def test_a_provider_of_another_type_is_refused(client: httpx.AsyncClient, cast: Cast, provider: Provider) -> None:
    assert (await refusal(client, cast.developer, type="anthropic", provider_id=str(provider.id)))[:2] == (
        400,
        "provider_id",
    )


async def test_names_are_taken_once_per_person_and_provider(client: httpx.AsyncClient, cast: Cast) -> None:
    await keep(client, cast.developer)
    assert (await refusal(client, cast.developer, name="MAIN"))[:2] == (409, "name")
    await keep(client, cast.manager)
    await keep(client, cast.developer, type="anthropic")


async def test_every_provider_of_the_catalogue_says_what_it_asks_for(
    app: FastAPI, client: httpx.AsyncClient, cast: Cast
) -> None:
    offered = await read_catalog(None, components_of(app)[Outgoing])
    assert [provider.type for provider in offered if fields_of(provider.type) is None] == []
    answer = await client.get(f"{PATH}provider-info?provider_name=azure", headers=cast.developer.headers)
    fields = answer.json()["result"]["credentials"]
    assert [(field["field"], field["type"], field["required"], field["order"]) for field in fields] == [
        ("api_key", "password", True, 1),
        ("api_base", "url", True, 2),
    ]
    assert (await client.get(f"{PATH}provider-info?provider_name=x", headers=cast.developer.headers)).status_code == 404


async def test_what_is_left_out_of_a_change_stays(app: FastAPI, client: httpx.AsyncClient, cast: Cast) -> None:
    made = await keep(client, cast.developer)
    changes: list[dict[str, Any]] = [
        {"name": "Renamed"},
        {"other_provider_creds": {"api_base": "https://ai.test"}},
        {"other_provider_creds": {"api_key": made["other_provider_creds"]["api_key"]}},
    ]
    for change in changes:
        body = {"type": "openai", **change}
        answer = await client.put(PATH + made["id"], json=body, headers=cast.developer.headers)
        assert answer.status_code == 200, answer.text
    result = answer.json()["result"]
    assert result["name"] == "Renamed"
    assert result["other_provider_creds"] == {"api_key": "********XYZW", "api_base": "https://ai.test"}
    database = components_of(app)[Database]
    async with database.read() as session:
        row = await session.scalar(select(ProviderCredential))
    assert row is not None
    assert components_of(app)[ProviderCredentials].values_of(row)["api_key"] == KEY


async def test_only_its_maker_changes_a_credential(client: httpx.AsyncClient, cast: Cast) -> None:
    made = PATH + (await keep(client, cast.developer))["id"]
    body = {"type": "openai", "name": "Mine"}
    assert (await client.put(made, json=body, headers=cast.tester.headers)).status_code == 403
    assert (await client.delete(made, headers=cast.tester.headers)).status_code == 403
    retyped = await client.put(made, json={"type": "anthropic"}, headers=cast.developer.headers)
    assert (retyped.status_code, retyped.json()["param"]) == (400, "type")
    assert (await client.delete(made, headers=cast.admin.headers)).status_code == 200
    assert (await client.delete(made, headers=cast.admin.headers)).status_code == 404


async def test_clients_and_other_tenants_reach_no_credential(client: httpx.AsyncClient, cast: Cast) -> None:
    made = await keep(client, cast.developer)
    body = {"type": "openai", "name": "Mine"}
    for person, status in ((cast.client, 403), (cast.other_admin, 404)):
        assert (await client.get(f"{PATH}{made['id']}/details", headers=person.headers)).status_code == status
        assert (await client.get(f"{PATH}{made['id']}/detailed-view", headers=person.headers)).status_code == status
        assert (await client.post(f"{PATH}{made['id']}/test", headers=person.headers)).status_code == status
        assert (await client.put(PATH + made["id"], json=body, headers=person.headers)).status_code == status
        assert (await client.delete(PATH + made["id"], headers=person.headers)).status_code == status
    assert (await client.get(PATH, headers=cast.other_admin.headers)).json()["credentials"] == []


async def test_a_credential_in_use_stays_and_the_projects_are_named(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    made = await keep(client, cast.developer)
    endpoint_id = await deploy(client, database, cast.manager, made["id"])
    answer = await client.delete(PATH + made["id"], headers=cast.developer.headers)
    assert (answer.status_code, "Atlas" in answer.json()["message"]) == (400, True)
    view = (await client.get(f"{PATH}{made['id']}/detailed-view", headers=cast.manager.headers)).json()["result"]
    [endpoint] = view["endpoints"]
    assert (view["num_of_endpoints"], endpoint["id"], endpoint["status"]) == (1, endpoint_id, "running")
    assert (endpoint["project_info"]["name"], endpoint["model_info"]["name"]) == ("Atlas", "gpt-4o")
    async with database.write() as session:
        await session.execute(text("update endpoint set status = 'deleting'"))
    assert (await client.delete(PATH + made["id"], headers=cast.developer.headers)).status_code == 200


async def test_a_deployment_is_given_another_credential_of_its_provider(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    made = await keep(client, cast.developer)
    endpoint_id = await deploy(client, database, cast.manager, None)
    body = {"type": "openai", "endpoint_id": endpoint_id}
    refused = await client.put(PATH + made["id"], json=body, headers=cast.developer.headers)
    assert refused.status_code == 404  # not in the project
    async with database.read() as session:
        project_id = await session.scalar(text("select project_id from endpoint"))
    await join(database, str(project_id), cast.developer)
    assert (await client.put(PATH + made["id"], json=body, headers=cast.developer.headers)).status_code == 403
    mine = await keep(client, cast.manager)
    assert (await client.put(PATH + mine["id"], json=body, headers=cast.manager.headers)).status_code == 200
    view = (await client.get(f"{PATH}{mine['id']}/detailed-view", headers=cast.manager.headers)).json()["result"]
    assert view["num_of_endpoints"] == 1
    foreign = await keep(client, cast.manager, type="anthropic")
    body["type"] = "anthropic"
    assert (await client.put(PATH + foreign["id"], json=body, headers=cast.manager.headers)).status_code == 400


async def test_deployments_look_credentials_up_by_tenant_and_provider(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    credential_id = UUID((await keep(client, cast.developer))["id"])
    async with database.read() as session:
        assert (await require_credential(session, cast.tenant_id, credential_id, "openai")).name == "Main"
        with pytest.raises(BadRequest):
            await require_credential(session, cast.tenant_id, credential_id, "anthropic")
        with pytest.raises(NotFound):
            await require_credential(session, cast.other_tenant_id, credential_id, "openai")


@asynccontextmanager
async def provider_api(status: int) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A provider's API: yields its address and the requests that it got."""
    seen: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{{}}".encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", seen


@pytest.fixture
def local(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the service reach addresses of this machine."""
    monkeypatch.setattr(components_of(app)[Outgoing], "_networks", Outgoing(["127.0.0.0/8"])._networks)


@pytest.mark.parametrize(("says", "outcome"), [(200, "valid"), (401, "refused"), (403, "refused")])
@pytest.mark.usefixtures("local")
async def test_the_provider_is_asked_whether_it_accepts_a_credential(
    client: httpx.AsyncClient, cast: Cast, says: int, outcome: str
) -> None:
    async with provider_api(says) as (address, seen):
        made = await keep(client, cast.developer, other_provider_creds={"api_key": KEY, "api_base": address})
        answer = await client.post(f"{PATH}{made['id']}/test", headers=cast.manager.headers)
    assert (answer.status_code, answer.json()["result"]["outcome"]) == (200, outcome)
    assert seen[0].startswith(b"GET /v1/models ")
    assert f"authorization: bearer {KEY}".lower() in seen[0].decode().lower()
    assert KEY not in answer.text


@pytest.mark.usefixtures("local")
async def test_a_provider_that_fails_says_nothing_of_the_credential(client: httpx.AsyncClient, cast: Cast) -> None:
    async with provider_api(500) as (address, _):
        made = await keep(client, cast.developer, other_provider_creds={"api_key": KEY, "api_base": address})
        assert (await client.post(f"{PATH}{made['id']}/test", headers=cast.developer.headers)).status_code == 502
    assert (await client.post(f"{PATH}{made['id']}/test", headers=cast.developer.headers)).status_code == 503


async def test_no_credential_is_sent_inside_our_walls_or_where_nothing_can_be_checked(
    client: httpx.AsyncClient, cast: Cast
) -> None:
    inside = {"api_key": KEY, "api_base": "https://169.254.169.254"}
    made = await keep(client, cast.developer, other_provider_creds=inside)
    assert (await client.post(f"{PATH}{made['id']}/test", headers=cast.developer.headers)).status_code == 400
    other = await keep(client, cast.developer, type="perplexity")
    answer = await client.post(f"{PATH}{other['id']}/test", headers=cast.developer.headers)
    assert answer.json()["result"]["outcome"] == "unchecked"


def caller(person: Person) -> Caller:
    fields = dict.fromkeys(("auth_id", "session_id", "realm", "name", "role", "color", "company", "purpose"), "")
    return Caller(
        user_id=person.id,
        tenant_id=person.tenant_id,
        email=person.email,
        status="active",
        user_type="admin",
        scopes=frozenset(),
        token_expires_at=None,  # type: ignore[arg-type]  # is not looked at
        **fields,  # type: ignore[arg-type]
    )


async def test_only_the_gateway_reads_the_key_that_is_handed_to_it(
    app: FastAPI, cast: Cast, database: Database
) -> None:
    private = rsa.generate_private_key(65537, 2048)
    pem = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    components = components_of(app)
    handing = ProviderCredentials(components[Encryption], Recipients(pem, None), components[Outgoing])
    data = CredentialCreate(name="Main", type="openai", other_provider_creds={"api_key": KEY})
    async with database.write() as session:
        await handing.create(session, caller(cast.developer), data)
    async with database.read() as session:
        row = await session.scalar(select(ProviderCredential))
    assert row is not None
    oaep = padding.OAEP(padding.MGF1(SHA256()), SHA256(), None)
    assert private.decrypt(bytes.fromhex(row.gateway_key or ""), oaep).decode() == KEY
    assert not handing.address_to_gateway(row)
    other = rsa.generate_private_key(65537, 2048)
    pem = other.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    assert replace(handing, recipients=Recipients(pem, None)).address_to_gateway(row)
    assert other.decrypt(bytes.fromhex(row.gateway_key or ""), oaep).decode() == KEY
    data = CredentialCreate(name="Long", type="openai", other_provider_creds={"api_key": "k" * 191})
    with pytest.raises(Exception, match="at most 190 bytes"):
        async with database.write() as session:
            await handing.create(session, caller(cast.developer), data)
