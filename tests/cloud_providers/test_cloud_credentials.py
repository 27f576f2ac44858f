"""Access to clouds: as the provider's schema asks for it, sealed, and shown masked."""

import json
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from budapp.cloud_provider_ops.seeds import ensure_cloud_providers
from budapp.commons.database import Database
from budapp.commons.domain import components_of
from tests.cast import Cast
from tests.logs import Logged

PATH = "/credentials/cloud-providers"
AWS = {"access_key_id": "AKIAIOSFODNN7EXAMPLE", "secret_access_key": "wJalrXUtnFEMI-very-secret-key"}


@pytest.fixture
async def providers(app: FastAPI, client: httpx.AsyncClient, cast: Cast, database: Database) -> dict[str, Any]:
    async with database.write() as session:
        await ensure_cloud_providers(session, components_of(app))
    answer = await client.get(PATH, headers=cast.manager.headers)
    return {one["unique_id"]: one for one in answer.json()["providers"]}


async def test_providers_say_what_a_credential_consists_of(
    client: httpx.AsyncClient, cast: Cast, providers: dict[str, Any]
) -> None:
    schema = json.loads(providers["aws"]["schema_definition"])
    assert schema["required"] == list(AWS)
    assert schema["properties"]["secret_access_key"]["type"] == "password"
    for name, count in (("aws", 34), ("azure", 38)):
        found = await client.get(f"{PATH}/{providers[name]['id']}/regions", headers=cast.manager.headers)
        assert len({one["id"] for one in found.json()["regions"]}) == count


async def test_values_are_sealed_and_only_a_summary_is_shown(
    client: httpx.AsyncClient, cast: Cast, database: Database, providers: dict[str, Any], logged: Logged
) -> None:
    body = {"provider_id": providers["aws"]["id"], "credential_name": "Ours", "credential_values": AWS}
    made = await client.post(PATH, json=body, headers=cast.manager.headers)
    assert made.status_code == 201
    summary = {"access_key_id": "AKIA…MPLE", "secret_access_key": "********"}
    assert made.json()["credential"]["credential_summary"] == summary
    listed = await client.get(f"{PATH}/credentials", headers=cast.manager.headers)
    assert [one["provider_name"] for one in listed.json()["credentials"]] == ["Amazon Web Services"]
    one = await client.get(f"{PATH}/credentials/{made.json()['credential']['id']}", headers=cast.manager.headers)
    assert one.json()["credentials"] == listed.json()["credentials"]
    async with database.read() as session:
        rows = (await session.execute(text("select * from cloud_credential"))).all()
        trail = (await session.execute(text("select * from audit_trail"))).all()
    everything = f"{made.text}{listed.text}{one.text}{rows}{trail}{logged}"
    assert "very-secret" not in everything
    none = await client.get(f"{PATH}/credentials?provider_id={providers['azure']['id']}", headers=cast.manager.headers)
    assert none.json()["credentials"] == []
    assert (await client.get(f"{PATH}/credentials", headers=cast.other_admin.headers)).json()["credentials"] == []


@pytest.mark.parametrize(
    ("values", "place"),
    [
        ({"access_key_id": AWS["access_key_id"]}, "secret_access_key"),
        ({**AWS, "secret_access_key": "   "}, "secret_access_key"),
        ({**AWS, "access_key_id": "short"}, "access_key_id"),
        ({**AWS, "access_key_id": "with space and so on!"}, "access_key_id"),
        ({**AWS, "secret_access_key": "x" * 20 + "\n"}, "secret_access_key"),
        ({**AWS, "more": "x"}, "more"),
    ],
)
async def test_values_that_are_not_what_the_schema_says_are_422_at_their_place(
    client: httpx.AsyncClient, cast: Cast, providers: dict[str, Any], values: dict[str, str], place: str
) -> None:
    body = {"provider_id": providers["aws"]["id"], "credential_name": "Ours", "credential_values": values}
    refused = await client.post(PATH, json=body, headers=cast.manager.headers)
    assert (refused.status_code, refused.json()["param"]) == (422, f"credential_values.{place}")
    assert "very-secret" not in refused.text


async def test_a_provider_that_is_not_enabled_takes_no_credential(
    client: httpx.AsyncClient, cast: Cast, database: Database, providers: dict[str, Any]
) -> None:
    async with database.write() as session:
        await session.execute(text("update cloud_provider set is_enabled = false where unique_id = 'aws'"))
    body = {"provider_id": providers["aws"]["id"], "credential_name": "Ours", "credential_values": AWS}
    refused = await client.post(PATH, json=body, headers=cast.manager.headers)
    assert (refused.status_code, refused.json()["param"]) == (400, "provider_id")
