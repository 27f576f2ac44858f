"""Holes that a service of this kind has had elsewhere stay shut here, each under a telling name.

Where another file holds the test already, `SHUT_ELSEWHERE` names it.
"""

from importlib import import_module
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy import select

from budapp.commons.access import Caller, Requires
from budapp.commons.config import Settings
from budapp.commons.database import Database
from budapp.commons.domain import components_of
from budapp.commons.encryption import DecryptionError
from budapp.commons.errors import Forbidden
from budapp.commons.scopes import CLIENT_SCOPES, Scope, scopes_of
from budapp.integrations.keycloak import Keycloak
from budapp.main import create_app
from budapp.tenant_ops.models import TenantClient
from budapp.user_ops.callers import Callers
from tests.cast import PASSWORD, Cast
from tests.permissions.people import held
from tests.surface.routes import document
from tests.users.test_users import create, signed_in

SHUT_ELSEWHERE = {
    "registering with a role or permissions of one's choice": (
        "tests.auth.test_register:test_nobody_registers_as_more_than_a_client"
    ),
    "an existing identity is taken over by registering": (
        "tests.auth.test_register:test_an_identity_that_only_keycloak_knows_is_not_taken_over"
    ),
    "a password set for somebody else becomes one's own": (
        "tests.users.test_users:test_changing_someone_elses_password_changes_theirs_not_ones_own"
    ),
    "x-resource-type and x-entity-id are believed": (
        "tests.auth.test_tokens:test_headers_of_the_clients_choice_change_nothing"
    ),
    "routes that ask for nothing": "tests.test_routes:test_every_route_says_who_may_call_it",
    "routes that anybody may call": "tests.test_routes:test_nobody_gets_past_a_route_that_asks_for_someone",
    "internal routes for whoever is signed in": (
        "tests.test_routes:test_a_token_does_not_open_what_only_the_sidecar_may_call"
    ),
    "events from anybody": "tests.events.test_inbox:test_only_the_sidecar_may_call",
    "aud and azp of a token are not looked at": (
        "tests.auth.test_tokens:test_a_token_of_another_client_of_the_realm_is_401"
    ),
    "iss of a token is not looked at": "tests.auth.test_tokens:test_a_token_of_a_realm_that_is_no_tenant_is_401",
    "a refresh or id token counts as an access token": (
        "tests.auth.test_tokens:test_a_refresh_or_id_token_is_never_an_access_token"
    ),
    "clients in projects of the administrators": (
        "tests.projects.test_access:test_a_client_never_reaches_an_admin_app_project_even_as_a_member"
    ),
    "clients in projects of other clients": (
        "tests.projects.test_access:test_a_clients_project_is_not_another_clients"
    ),
    "access to one project opens another": (
        "tests.projects.test_access:test_a_developer_reaches_only_projects_they_take_part_in"
    ),
    "a super administrator passes every check": (
        "tests.projects.test_access:test_a_foreign_tenants_project_is_as_if_it_were_not_there"
    ),
    "realm roles that can't be fetched": "tests.permissions.test_mirror:test_nothing_changes_while_keycloak_is_down",
    "a role change counts at the next sign-in only": "tests.users.test_users:test_a_new_role_counts_at_the_next_call",
    "x-forwarded-for decides whose tries are counted": (
        "tests.commons.test_http:test_the_forwarded_address_counts_only_from_a_trusted_proxy"
    ),
    "rate limits that fail open": (
        "tests.commons.test_stores_down:test_without_valkey_sign_in_is_closed_and_the_rest_works"
    ),
    "a lost database lets people in": "tests.commons.test_stores_down:test_without_postgresql_nobody_is_let_in",
    "a used reset link works again": (
        "tests.auth.test_password_resets:test_the_mailed_link_sets_a_new_password_once_and_ends_every_session"
    ),
    "reset links for deleted people": "tests.auth.test_password_resets:test_a_deleted_user_gets_no_link",
    "failures of sign-in can be told apart": (
        "tests.auth.test_login:test_every_way_to_fail_answers_the_same_body_and_never_sooner"
    ),
}


@pytest.mark.parametrize("hole", SHUT_ELSEWHERE)
def test_the_hole_is_shut_by_a_test_elsewhere(hole: str) -> None:
    module, _, name = SHUT_ELSEWHERE[hole].partition(":")
    assert callable(getattr(import_module(module), name))


async def known_caller(client: httpx.AsyncClient, app: FastAPI, person: Any) -> Caller:
    await client.get("/users/me", headers=person.headers)
    caller: Caller | None = components_of(app)[Callers].get(person.tokens["access_token"])
    assert caller is not None
    return caller


async def test_asking_for_client_access_does_not_let_everybody_pass(
    client: httpx.AsyncClient, cast: Cast, app: FastAPI
) -> None:
    access = Requires(Scope.CLIENT_ACCESS)
    access.admit(await known_caller(client, app, cast.client))
    for person in (cast.developer, cast.manager, cast.invited):
        with pytest.raises(Forbidden):
            access.admit(await known_caller(client, app, person))


@pytest.mark.parametrize("joined", ["model:view,user:manage", "user:manage ", "USER:MANAGE", "user:*", "*"])
async def test_several_scopes_in_one_text_are_none(client: httpx.AsyncClient, cast: Cast, joined: str) -> None:
    grant = [{"name": joined, "has_permission": True}]
    headers = cast.admin.headers
    granted = await client.put(f"/permissions/{cast.tester.id}/global", json=grant, headers=headers)
    role = await client.post("/roles", json={"name": "X", "scopes": [joined]}, headers=headers)
    assert (granted.status_code, role.status_code) == (422, 422)


async def test_an_ended_session_stays_ended_where_valkey_is_down(
    client: httpx.AsyncClient, cast: Cast, settings: Settings
) -> None:
    user = await create(client, cast)
    login = await client.post("/auth/login", json={"email": user["email"], "password": PASSWORD})
    token = login.json()["token"]
    headers = {"Authorization": f"Bearer {token['access_token']}"}
    nowhere = SecretStr("redis://127.0.0.1:9/0")
    lost = create_app(settings.model_copy(update={"tensorzero_redis_url": nowhere}))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(lost), base_url="http://lost.test") as replica:
        await client.post("/auth/logout", json={"refresh_token": token["refresh_token"]}, headers=headers)
        assert (await replica.get("/users/me", headers=headers)).status_code == 401
    await components_of(lost).close()


async def test_a_user_id_in_the_query_makes_nobody_somebody_else(
    client: httpx.AsyncClient, cast: Cast, app: FastAPI
) -> None:
    url = f"/users/me?user_id={cast.admin.id}"
    internal = {"dapr-api-token": components_of(app)[Settings].app_api_token.get_secret_value()}
    assert (await client.get(url, headers=internal)).status_code == 401
    me = await client.get(url, headers=internal | cast.developer.headers)
    assert (me.status_code, me.json()["param"]) == (422, "user_id")
    users = await client.get(f"/users/?user_id={cast.admin.id}", headers=internal | cast.developer.headers)
    assert users.status_code == 403


async def test_a_new_administrator_takes_nothing_from_the_others(client: httpx.AsyncClient, cast: Cast) -> None:
    people = (cast.admin, cast.manager, cast.developer)
    before = [await held(client, person) for person in people]
    await create(client, cast, role="admin")
    assert [await held(client, person) for person in people] == before


async def test_a_role_holds_its_scopes_without_anybody_granting_them(client: httpx.AsyncClient, cast: Cast) -> None:
    assert Scope.ENDPOINT_MANAGE in scopes_of("devops", "admin")
    user = await create(client, cast, role="devops")
    headers = await signed_in(client, user["email"])
    mine = (await client.get("/users/me/permissions", headers=headers)).json()["permissions"]
    assert {"module_endpoint", "module_cluster"} <= {entry["rsname"] for entry in mine}


@pytest.mark.parametrize("role", ["admin", "super_admin", "devops"])
def test_a_clients_realm_role_gives_them_nothing(role: str) -> None:
    assert scopes_of(role, "client") == set(CLIENT_SCOPES)


async def test_a_plaintext_secret_in_the_database_is_not_taken_for_one(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    with pytest.raises(DecryptionError):
        database.encryption.decrypt("legacy-plaintext-secret", f"tenant_client:{cast.tenant_id}")
    async with database.write() as session:
        row = (await session.scalars(select(TenantClient).where(TenantClient.tenant_id == cast.tenant_id))).one()
        sealed = row.client_secret_encrypted
        row.client_secret_encrypted = database.encryption.decrypt(sealed, f"tenant_client:{cast.tenant_id}")
    answer = await client.post("/auth/login", json={"email": cast.developer.email, "password": PASSWORD})
    assert not answer.is_success
    assert "token" not in answer.json()


def test_no_answer_has_a_field_for_a_stored_secret() -> None:
    schemas = document().published["components"]["schemas"]
    fields = {field for schema in schemas.values() for field in schema.get("properties", {})}
    fields.remove("record_hash")  # an audit entry's seal, which is there to be compared
    assert not {field for field in fields if "encrypted" in field or "hash" in field or field == "auth_id"}


async def test_the_client_in_keycloak_sends_nobody_just_anywhere(app: FastAPI, cast: Cast) -> None:
    settings = components_of(app)[Settings]
    admin = components_of(app)[Keycloak].admin(settings.default_realm_name)
    client_id = await admin.a_get_client_id(settings.default_client_name)
    assert client_id is not None
    client = await admin.a_get_client(client_id)
    assert "*" not in [*client["redirectUris"], *client["webOrigins"]]
    assert not client["publicClient"]
