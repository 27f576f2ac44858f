"""Tenants as a whole: making them, keeping them out, and who may."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select

from budapp.commons.config import Settings
from budapp.commons.database import Database
from budapp.commons.domain import components_of
from budapp.commons.errors import Conflict
from budapp.integrations.keycloak import Keycloak
from budapp.main import create_app
from budapp.tenant_ops.models import Tenant
from budapp.user_ops.callers import Callers
from tests.cast import PASSWORD, Cast
from tests.command_line import budapp
from tests.projects.data import messages
from tests.refused_commits import refusing
from tests.waiting import until


@pytest.fixture
async def identifier(app: FastAPI) -> AsyncIterator[str]:
    """A name for a tenant; its realm goes at the end."""
    name = f"test-{uuid4().hex[:12]}"
    yield name
    if await components_of(app)[Keycloak].realm_exists(name):
        await components_of(app)[Keycloak].delete_realm(name)


async def make(client: httpx.AsyncClient, cast: Cast, identifier: str, **changes: Any) -> httpx.Response:
    body = {"name": identifier, "identifier": identifier, "administrator_email": "chief@example.com", **changes}
    return await client.post("/tenants", json=body, headers=cast.admin.headers)


async def login(client: httpx.AsyncClient, email: str, password: str, **more: Any) -> httpx.Response:
    return await client.post("/auth/login", json={"email": email, "password": password, **more})


def bearer(answer: httpx.Response) -> dict[str, str]:
    return {"Authorization": f"Bearer {answer.json()['token']['access_token']}"}


async def enter(client: httpx.AsyncClient, made: httpx.Response) -> dict[str, str]:
    """Sign the new tenant's administrator in and set their own password; return their headers."""
    document = made.json()
    email, password = document["administrator"]["email"], document["administrator"]["password"]
    identifier = document["tenant"]["tenant_identifier"]
    first = await login(client, email, password, tenant=identifier)
    assert first.status_code == 200, first.text
    assert first.json()["is_reset_password"] is True
    me = (await client.get("/users/me", headers=bearer(first))).json()["user"]
    changed = await client.patch(f"/users/{me['id']}", json={"password": PASSWORD}, headers=bearer(first))
    assert changed.status_code == 200, changed.text
    return bearer(await login(client, email, PASSWORD, tenant=identifier))


async def test_a_new_tenants_administrator_sets_a_password_and_sees_only_the_own_tenant(
    client: httpx.AsyncClient, cast: Cast, identifier: str
) -> None:
    made = await make(client, cast, identifier)
    assert made.status_code == 200, made.text
    headers = await enter(client, made)
    users = (await client.get("/users/", headers=headers)).json()
    assert [user["email"] for user in users["users"]] == ["chief@example.com"]
    assert users["total_record"] == 1
    assert (await client.get(f"/users/{cast.admin.id}", headers=headers)).status_code == 404
    project = await client.post("/projects/", json={"name": "First"}, headers=headers)
    assert project.status_code == 200, project.text
    found = await client.get("/projects/", headers=cast.admin.headers)
    assert found.json()["total_record"] == 0


async def test_tenants_are_listed_found_and_renamed(client: httpx.AsyncClient, cast: Cast, identifier: str) -> None:
    tenant = (await make(client, cast, identifier)).json()["tenant"]
    path, headers = f"/tenants/{tenant['id']}", cast.admin.headers
    renamed = await client.patch(path, json={"name": "Umbrella", "description": "Rain"}, headers=headers)
    assert renamed.json()["tenant"]["name"] == "Umbrella"
    listed = (await client.get("/tenants", params={"name": "umbr", "search": True}, headers=headers)).json()
    assert [row["id"] for row in listed["tenants"]] == [tenant["id"]]
    assert (await client.get(path, headers=headers)).json()["tenant"]["description"] == "Rain"
    cleared = await client.patch(path, json={"name": None, "description": None}, headers=headers)
    assert [cleared.json()["tenant"][name] for name in ("name", "description")] == ["Umbrella", None]
    taken = await client.patch(path, json={"name": (await own_tenant(client, cast))["name"].upper()}, headers=headers)
    assert (taken.status_code, taken.json()["param"]) == (409, "name")


async def own_tenant(client: httpx.AsyncClient, cast: Cast) -> dict[str, Any]:
    body = (await client.get(f"/tenants/{cast.tenant_id}", headers=cast.admin.headers)).json()
    tenant: dict[str, Any] = body["tenant"]
    return tenant


@pytest.mark.parametrize("person", ["manager", "developer", "client", "invited", "other_admin", "other_developer"])
async def test_only_super_administrators_of_the_platforms_own_tenant_reach_tenants(
    client: httpx.AsyncClient, cast: Cast, identifier: str, person: str
) -> None:
    headers = getattr(cast, person).headers
    body = {"name": identifier, "identifier": identifier, "administrator_email": "chief@example.com"}
    tenant = f"/tenants/{cast.other_tenant_id}"
    answers = [
        await client.get("/tenants", headers=headers),
        await client.post("/tenants", json=body, headers=headers),
        await client.get(tenant, headers=headers),
        await client.patch(tenant, json={"name": "Mine"}, headers=headers),
        await client.post(f"{tenant}/disable", headers=headers),
        await client.post(f"{tenant}/enable", headers=headers),
    ]
    assert [answer.status_code for answer in answers] == [403] * 6


async def test_running_the_platform_is_no_permission_that_can_be_granted_or_is_shown_to_others(
    client: httpx.AsyncClient, cast: Cast
) -> None:
    grants = [{"name": "tenant:manage", "has_permission": True}]
    path = f"/permissions/{cast.developer.id}/global"
    assert (await client.put(path, json=grants, headers=cast.admin.headers)).status_code == 422
    shown = await client.get(f"/users/{cast.admin.id}/permissions", headers=cast.admin.headers)
    assert "tenant:" not in shown.text
    for person in (cast.manager, cast.other_admin):
        assert "tenant" not in (await client.get("/users/me/permissions", headers=person.headers)).text


async def test_a_name_or_identifier_that_is_taken_is_409_and_leaves_no_realm(
    client: httpx.AsyncClient, app: FastAPI, cast: Cast, identifier: str
) -> None:
    own = await own_tenant(client, cast)
    by_name = await make(client, cast, identifier, name=own["name"])
    by_identifier = await make(client, cast, own["tenant_identifier"], name="Other")
    not_ours = await make(client, cast, "master")
    assert [answer.status_code for answer in (by_name, by_identifier, not_ours)] == [409, 409, 409]
    assert [answer.json()["param"] for answer in (by_name, by_identifier, not_ours)] == [
        "name",
        "identifier",
        "identifier",
    ]
    assert not await components_of(app)[Keycloak].realm_exists(identifier)
    assert (await client.get("/tenants", headers=cast.admin.headers)).json()["total_record"] == 2


@pytest.mark.parametrize("identifier_text", ["", "a", "A b", "-ab", "ab-", "äbc", "x" * 51, "../master", "1abc"])
async def test_an_identifier_is_3_to_50_small_letters_digits_and_hyphens(
    client: httpx.AsyncClient, cast: Cast, identifier_text: str
) -> None:
    answer = await make(client, cast, identifier_text, name="Other")
    assert (answer.status_code, answer.json()["param"]) == (422, "identifier")


async def test_of_parallel_creations_one_wins(client: httpx.AsyncClient, cast: Cast, identifier: str) -> None:
    answers = await asyncio.gather(*(make(client, cast, identifier) for _ in range(3)))
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409]
    await enter(client, next(answer for answer in answers if answer.status_code == 200))


async def test_a_creation_that_fails_halfway_leaves_neither_realm_nor_row(
    client: httpx.AsyncClient, app: FastAPI, cast: Cast, database: Database, identifier: str
) -> None:
    async def alter(change: str) -> None:
        async with database.engine.begin() as connection:
            await connection.exec_driver_sql(f'alter table "user" {change}')

    await alter("add constraint no_chief check (email <> 'chief@example.com') not valid")
    try:
        assert (await make(client, cast, identifier)).status_code == 500
    finally:
        await alter("drop constraint no_chief")
    assert not await components_of(app)[Keycloak].realm_exists(identifier)
    assert (await client.get("/tenants", headers=cast.admin.headers)).json()["total_record"] == 2
    assert (await make(client, cast, identifier)).status_code == 200


async def test_a_disabled_tenant_is_out_at_once_on_every_replica_and_comes_back(
    client: httpx.AsyncClient, app: FastAPI, settings: Settings, cast: Cast, identifier: str
) -> None:
    made = await make(client, cast, identifier)
    headers = await enter(client, made)
    again = await login(client, "chief@example.com", PASSWORD, tenant=identifier)
    path = f"/tenants/{made.json()['tenant']['id']}"
    replica = create_app(settings)
    listening = asyncio.create_task(components_of(replica)[Callers].listen())
    transport = httpx.ASGITransport(replica, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://replica.test") as other:
        assert (await other.get("/users/me", headers=headers)).status_code == 200
        assert (await client.post(f"{path}/disable", headers=cast.admin.headers)).status_code == 200
        assert (await client.get("/users/me", headers=headers)).status_code == 401

        async def is_out() -> bool:
            return (await other.get("/users/me", headers=headers)).status_code == 401

        await until(is_out, seconds=5)
    refreshed = {"refresh_token": again.json()["token"]["refresh_token"]}
    assert (await client.post("/auth/refresh-token", json=refreshed)).status_code == 401
    refused = await login(client, "chief@example.com", PASSWORD, tenant=identifier)
    unknown = await login(client, "chief@example.com", PASSWORD, tenant="no-such-tenant")
    assert (refused.status_code, refused.json()["message"]) == (400, unknown.json()["message"])
    assert (await client.get(path, headers=cast.admin.headers)).json()["tenant"]["is_active"] is False

    assert (await client.post(f"{path}/enable", headers=cast.admin.headers)).status_code == 200
    assert (await client.post("/auth/refresh-token", json=refreshed)).status_code == 401
    assert (await login(client, "chief@example.com", PASSWORD, tenant=identifier)).status_code == 200
    listening.cancel()
    await components_of(replica).close()


async def test_a_password_reset_is_not_for_a_disabled_tenant(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    await client.post(f"/tenants/{cast.other_tenant_id}/disable", headers=cast.admin.headers)
    async with database.read() as session:
        tenant = (await session.scalars(select(Tenant).where(Tenant.id == cast.other_tenant_id))).one()
    for named in ({"tenant_id": str(tenant.id)}, {"tenant": tenant.realm_name}):
        body = {"email": cast.other_admin.email, **named}
        assert (await client.post("/users/reset-password", json=body)).json()["acknowledged"] is True
    assert await messages(database) == []
    await client.post(f"/tenants/{cast.other_tenant_id}/enable", headers=cast.admin.headers)


async def test_a_link_mailed_before_the_tenant_was_disabled_sets_no_password(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    body = {"email": cast.other_admin.email, "tenant_id": str(cast.other_tenant_id)}
    await client.post("/users/reset-password", json=body)
    [(_, payload)] = await messages(database)
    token = payload["payload"]["content"]["token"]
    await client.post(f"/tenants/{cast.other_tenant_id}/disable", headers=cast.admin.headers)
    looked = await client.post("/users/validate-reset-token", json={"token": token})
    used = await client.post(
        "/users/reset-password-with-token",
        json={"token": token, "new_password": PASSWORD, "confirm_password": PASSWORD},
    )
    await client.post(f"/tenants/{cast.other_tenant_id}/enable", headers=cast.admin.headers)
    assert (looked.json()["is_valid"], used.status_code) == (False, 400)


async def test_a_tenant_whose_disabling_fails_to_commit_goes_on(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    async with refusing(database, "tenant", "update"):
        answer = await client.post(f"/tenants/{cast.other_tenant_id}/disable", headers=cast.admin.headers)
    assert answer.status_code == 500
    signed_in = await login(client, cast.other_admin.email, PASSWORD, tenant_id=str(cast.other_tenant_id))
    assert signed_in.status_code == 200, signed_in.text


async def test_the_platforms_own_tenant_cannot_be_disabled(client: httpx.AsyncClient, cast: Cast) -> None:
    answer = await client.post(f"/tenants/{cast.tenant_id}/disable", headers=cast.admin.headers)
    assert answer.status_code == 400
    assert (await client.get("/users/me", headers=cast.admin.headers)).status_code == 200


async def test_the_command_line_makes_lists_and_disables_tenants(
    client: httpx.AsyncClient, cast: Cast, settings: Settings, identifier: str
) -> None:
    async def run(*arguments: str) -> tuple[int, str]:
        finished = await budapp(settings, "tenant", *arguments)
        return finished.status, finished.stdout + finished.stderr

    code, output = await run("create", "Acme", identifier, "--admin", "chief@example.com")
    assert code == 0, output
    password = next(line.split()[1] for line in output.splitlines() if line.startswith("password"))
    assert (await login(client, "chief@example.com", password, tenant=identifier)).status_code == 200
    assert re.search(rf"IDENTIFIER .*^{identifier} +active ", (await run("list"))[1], re.DOTALL | re.MULTILINE)
    assert (await run("disable", identifier))[0] == 0
    assert re.search(rf"^{identifier} +disabled ", (await run("list"))[1], re.MULTILINE)
    assert (await run("enable", identifier))[0] == 0
    assert (await login(client, "chief@example.com", password, tenant=identifier)).status_code == 200
    code, output = await run("create", "Bad", "No Good", "--admin", "nobody")
    assert code == 2
    assert "identifier" in output
    assert "administrator_email" in output


async def test_a_realm_that_is_there_is_never_taken_over(app: FastAPI, identifier: str) -> None:
    keycloak = components_of(app)[Keycloak]
    await keycloak.create_realm(identifier, ["admin"])
    with pytest.raises(Conflict):
        await keycloak.create_realm(identifier, ["admin"])
    assert await keycloak.realm_exists(identifier)
