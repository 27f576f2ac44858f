"""What follows from the upgrade elsewhere: the gateway's tables, and what Keycloak says of the people."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID

import asyncpg
import httpx
import pytest
from fastapi import FastAPI
from redis.asyncio import Redis
from sqlalchemy import select
from uuid_utils.compat import uuid7

from budapp.commons.config import Settings
from budapp.commons.database import Database
from budapp.commons.domain import components_of
from budapp.commons.scopes import UserRole
from budapp.integrations.keycloak import Keycloak, NewUser
from budapp.integrations.valkey import connect_valkey
from budapp.project_ops.models import ProjectMember
from budapp.user_ops.identity import held_by
from budapp.user_ops.models import User, UserPermission
from tests.cast import PASSWORD
from tests.command_line import budapp
from tests.legacy.conftest import Run
from tests.legacy.generating import add, change
from tests.legacy.old_secrets import old_key, old_lookup_hash, rsa_hex
from tests.legacy.values import row_id
from tests.stack import in_valkey_database

GATEWAY_TABLES = 7
"""The database of Valkey that is emptied here."""


@pytest.fixture
async def valkey(settings: Settings) -> AsyncIterator[Redis]:
    own = connect_valkey(_with_own_valkey(settings))
    await own.flushdb()
    yield own
    await own.flushdb()
    await own.aclose()


def _with_own_valkey(settings: Settings) -> Settings:
    return in_valkey_database(settings, GATEWAY_TABLES)


async def test_an_old_key_opens_at_the_gateway_what_it_opened(
    run: Run, old: asyncpg.Connection, valkey: Redis, settings: Settings
) -> None:
    await change(old, "user", 0, role="admin", user_type="admin", status="active")
    await change(old, "project", 0, status="active", project_type="admin_app")
    await change(old, "model", 0, provider_type="hugging_face", source="local", status="active")
    url = {"url": "http://10.0.0.7:8000/", "namespace": "bud-chat", "credential_id": None}
    await change(old, "endpoint", 0, name="chat", status="running", **url)
    await change(old, "credential", 0, expiry=None, credential_type="admin_app")
    assert (await run()).status == 0
    assert (await budapp(_with_own_valkey(settings), "gateway", "rebuild")).status == 0
    written = await valkey.get(f"api_key:{old_lookup_hash(old_key(0))}")
    assert written is not None
    entry = json.loads(written)
    assert entry["chat"]["endpoint_id"] == str(row_id("endpoint", 0))
    assert entry["__metadata__"]["api_key_id"] == str(row_id("credential", 0))


@dataclass(frozen=True)
class OldRealm:
    """A realm as the former service left it: two people, who may do different things by its client."""

    name: str
    client_id: str
    secret: str
    keeper: str
    member: str


@pytest.fixture
async def realm(app: FastAPI, run_id: str) -> AsyncIterator[OldRealm]:
    keycloak = components_of(app)[Keycloak]
    name = f"test-{run_id}-legacy-{uuid7().hex[-6:]}"
    await keycloak.ensure_realm(name, list(UserRole))
    try:
        people = [
            await keycloak.create_user(name, NewUser(f"{who}@example.com", who, PASSWORD, [UserRole.DEVELOPER]))
            for who in ("keeper", "member")
        ]
        admin = keycloak.admin(name)
        client_id = await admin.a_create_client(
            {
                "clientId": "bud-client",
                "publicClient": False,
                "directAccessGrantsEnabled": True,
                "serviceAccountsEnabled": True,
                "authorizationServicesEnabled": True,
            }
        )
        secret = (await admin.a_get_client_secrets(client_id))["value"]
        await admin.a_import_client_authz_config(client_id, _authorization(*people))
        yield OldRealm(name, client_id, secret, *people)
    finally:
        await keycloak.delete_realm(name)


def _authorization(keeper: str, member: str) -> dict[str, object]:
    project = row_id("project", 0)
    permissions = {
        ("module_model", "urn:bud:permission:model:module:view"): [keeper],
        ("module_cluster", "urn:bud:permission:cluster:module:manage"): [keeper],
        (f"URN::Project::{project}", f"urn:bud:permission:project:{project}:view"): [keeper, member],
        (f"URN::Project::{project}", f"urn:bud:permission:project:{project}:manage"): [],
    }
    scopes = [{"name": "view"}, {"name": "manage"}]
    people = {keeper: "keeper@example.com", member: "member@example.com"}
    return {
        "policyEnforcementMode": "ENFORCING",
        "scopes": scopes,
        "resources": [{"name": name, "scopes": scopes} for name in dict.fromkeys(name for name, _ in permissions)],
        "policies": [
            *(_policy(auth_id, email) for auth_id, email in people.items()),
            *(_permission(resource, name, given) for (resource, name), given in permissions.items()),
        ],
    }


def _policy(auth_id: str, email: str) -> dict[str, object]:
    return {"name": f"urn:bud:policy:{auth_id}", "type": "user", "config": {"users": json.dumps([email])}}


def _permission(resource: str, name: str, people: list[str]) -> dict[str, object]:
    applied = [f"urn:bud:policy:{auth_id}" for auth_id in people]
    config = {"resources": [resource], "scopes": [name.rpartition(":")[2]], "applyPolicies": applied}
    return {
        "name": name,
        "type": "scope",
        "decisionStrategy": "AFFIRMATIVE",
        "config": {key: json.dumps(value) for key, value in config.items()},
    }


async def bind(old: asyncpg.Connection, realm: OldRealm) -> None:
    """Let the first tenant be the realm's."""
    await change(old, "tenant", 0, realm_name=realm.name, tenant_identifier=realm.name)
    secret = rsa_hex(realm.secret)
    await change(
        old, "tenant_clients", 0, client_id=realm.client_id, client_named_id="bud-client", client_secret=secret
    )
    await change(old, "project", 0, status="active", project_type="admin_app", benchmark=False)


async def test_people_hold_what_keycloak_says_and_those_without_an_account_are_named(
    run: Run, old: asyncpg.Connection, database: Database, realm: OldRealm, client: httpx.AsyncClient
) -> None:
    person = {"role": "developer", "user_type": "admin", "is_superuser": False, "status": "active"}
    await bind(old, realm)
    await change(old, "user", 0, auth_id=UUID(realm.keeper), email="Keeper@Example.com", **person)
    member = await add(old, "user", 0, auth_id=UUID(realm.member), email="member@example.com", **person)
    gone = await add(old, "user", 0, auth_id=row_id("nobody", 0), email="gone@example.com", **person)
    for user in (member, gone):
        await old.execute("insert into project_user_association values ($1, $2)", row_id("project", 0), user)
    done = await run("--realm", realm.name, "--json")
    assert done.status == 0
    report = json.loads(done.stdout)
    ours = next(one for one in report["accounts"] if one["realm"] == realm.name)
    assert (ours["problem"], ours["checked"], ours["missing"]) == (None, 3, ["gone@example.com"])
    assert {one["realm"]: one["people"] for one in report["rights"] if one["problem"] is None} == {realm.name: 1}
    assert await held(database, row_id("user", 0)) & _KNOWN == {"model:view", "cluster:view", "cluster:manage"}
    assert await held(database, member) & _KNOWN == set()
    assert await scopes(database, row_id("user", 0)) == ["endpoint:view", "endpoint:manage"]  # the project's own maker
    assert await scopes(database, member) == ["endpoint:view"]
    assert await scopes(database, gone) == []
    assert report["clients"][realm.name].startswith("got a mapper")
    again = json.loads((await run("--realm", realm.name, "--check", "--json")).stdout)
    assert again["clients"][realm.name] == "its tokens name it as their audience"
    await signs_in(client, realm)


async def signs_in(client: httpx.AsyncClient, realm: OldRealm) -> None:
    """See that somebody goes on with the password that they had."""
    bearer = await sign_in(client, realm)
    me = await client.get("/v1/users/me", headers=bearer)
    assert me.json()["user"]["id"] == str(row_id("user", 0))
    answers = {path: await client.get(f"/v1/{path}/", headers=bearer) for path in ("models", "projects")}
    assert {path: answer.status_code for path, answer in answers.items()} == {"models": 200, "projects": 403}


async def sign_in(client: httpx.AsyncClient, realm: OldRealm) -> dict[str, str]:
    """Return the headers of the first user, signed in with the password that they have."""
    credentials = {"email": "keeper@example.com", "password": PASSWORD, "tenant": realm.name, "user_type": "admin"}
    answer = await client.post("/v1/auth/login", json=credentials)
    assert answer.status_code == 200, answer.text
    return {"Authorization": f"Bearer {answer.json()['token']['access_token']}"}


SHOWN = {
    "adapter": ("endpoints/{endpoint}/adapters",),
    "audit": ("audit/records", "audit/records/{audit_trail}", "audit/summary"),
    "benchmark": (
        "benchmark",
        "benchmark/{benchmark}/model-cluster-detail",
    ),
    "billing": ("billing/plans", "billing/alerts", "billing/history", "billing/user/{user}"),
    "catalog": ("models/catalog", "models/providers", "models/quantization-methods", "templates", "icons", "dataset"),
    "chat": (
        "playground/chat-sessions",
        "playground/chat-sessions/{chat_sessions}/messages",
        "playground/chat-settings",
    ),
    "clouds": ("credentials/cloud-providers", "credentials/cloud-providers/credentials"),
    "cluster": (
        "clusters/clusters",
        "clusters/{cluster}",
        "clusters/{cluster}/settings",
        "clusters/{cluster}/endpoints",
    ),
    "endpoint": ("endpoints/", "endpoints/{endpoint}/model-cluster-detail", "endpoints/{endpoint}/deployment-settings"),
    "evaluation": ("experiments/{experiments}/evaluations", "experiments/runs/{runs}", "experiments/evaluations/all"),
    "experiment": (
        "experiments/",
        "experiments/{experiments}",
        "experiments/{experiments}/summary",
        "experiments/tags",
    ),
    "guardrail": ("guardrails/probes", "guardrails/probe/{guardrail_probe}", "guardrails/rule/{guardrail_rule}"),
    "key": ("credentials/?credential_type=client_app", "proprietary/credentials/"),
    "manifest": ("experiments/datasets", "experiments/datasets/{exp_datasets}", "experiments/traits"),
    "model": (
        "models/",
        "models/{model}",
        "models/?table_source=model",
        "models/tags",
        "models/tasks",
        "models/authors",
    ),
    "price": ("endpoints/{endpoint}/pricing/history", "endpoints/{endpoint}/publication-history"),
    "profile": (
        "guardrails/profiles",
        "guardrails/profile/{guardrail_profile}",
        "guardrails/profile/{guardrail_profile}/probes",
    ),
    "project": (
        "projects/",
        "projects/{project}",
        "projects/{project}/users",
        "projects/{project}/clusters",
        "projects/tags",
    ),
    "prompt": ("prompts", "prompts/{prompt}", "prompts/{prompt}/versions", "prompts/tags"),
    "provider credential": ("proprietary/credentials/{proprietary_credential}/detailed-view",),
    "router": ("routers/?project_id={project}", "metrics/gateway/blocking-rules"),
    "tenant": ("tenants", "tenants/{tenant}", "admin/oauth/configurations/{tenant}"),
    "user": ("users/", "users/{user}", "users/{user}/permissions", "permissions/{user}/projects"),
    "workflow": ("workflows", "workflows/{workflow}"),
}
"""What shows rows that have come, by what they are about."""


async def test_what_has_come_is_shown(
    run: Run, old: asyncpg.Connection, app: FastAPI, realm: OldRealm, client: httpx.AsyncClient
) -> None:
    await bind(old, realm)
    keeper = {"role": "super_admin", "user_type": "admin", "is_superuser": True, "status": "active"}
    await change(old, "user", 0, auth_id=UUID(realm.keeper), email="keeper@example.com", **keeper)
    for table in (
        "model",
        "cloud_model",
        "guardrail_probe",
        "guardrail_rule",
        "guardrail_profile",
        "experiments",
        "prompt",
    ):
        await change(old, table, 0, status="active")
    await change(old, "user_billing", 0, is_current=True)
    await change(old, "cluster", 0, status="available")
    await change(old, "endpoint", 0, status="running")
    assert (await run("--realm", realm.name)).status == 0
    await components_of(app)[Keycloak].set_role(realm.name, realm.keeper, UserRole.SUPER_ADMIN, list(UserRole))
    bearer = await sign_in(client, realm)
    paths = [path.format_map(_Ids()) for about in SHOWN.values() for path in about]
    answers = {path: await client.get(f"/v1/{path}", headers=bearer) for path in paths}
    assert {path: answer.json() for path, answer in answers.items() if answer.status_code != 200} == {}


class _Ids(dict[str, UUID]):
    """The id of the first row of each old table."""

    def __missing__(self, table: str) -> UUID:
        return row_id(table, 0)


_KNOWN = {f"{module}:{action}" for module in ("model", "project", "cluster", "user") for action in ("view", "manage")}


async def held(database: Database, user_id: UUID) -> frozenset[str]:
    """Return what somebody may do in their tenant."""
    async with database.read() as session:
        user = await session.get_one(User, user_id)
        rows = await session.scalars(select(UserPermission).where(UserPermission.user_id == user_id))
        return held_by(user, {row.scope: row.granted for row in rows})


async def scopes(database: Database, user_id: UUID) -> list[str]:
    """Return what somebody may do in the first project."""
    mine = (ProjectMember.user_id == user_id, ProjectMember.project_id == row_id("project", 0))
    async with database.read() as session:
        return (await session.scalars(select(ProjectMember).where(*mine))).one().scopes
