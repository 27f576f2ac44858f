"""What both servers stand on: a database of their own, a realm for each tenant, people and projects."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from uuid import UUID

import asyncpg
from alembic import command
from dotenv import dotenv_values
from uuid_utils.compat import uuid7

from budapp.cli.migrations import alembic_config
from budapp.commons.config import Settings, load_settings
from budapp.commons.database import Database
from budapp.commons.errors import NotFound
from budapp.commons.postgresql import database_url
from budapp.commons.scopes import UserRole, UserType
from budapp.integrations.keycloak import Keycloak, NewUser
from budapp.tenant_ops.services import ensure_tenant
from budapp.user_ops.models import User, UserStatus

_PASSWORD = "Correct-Horse-1"
_MEMBERS = 4
_ACCOUNTS_AT_ONCE = 1000

_PROJECTS = """
insert into project (id, tenant_id, name, description, tags, status, project_type, benchmark, created_by,
                     created_at, modified_at)
select gen_random_uuid(), $1, 'project ' || n, 'what it is for, in a line of text',
       '[{"name": "tag", "color": "#E57333"}]', 'active', 'admin_app', false, $2,
       now() - n * interval '1 minute', now()
from generate_series(1, $3::int) n
"""
_MEMBERSHIPS = """
insert into project_member (id, tenant_id, project_id, user_id, scopes, created_at, modified_at)
select gen_random_uuid(), $1, p.id, u.id, '{endpoint:view,endpoint:manage}', now(), now()
from project p join "user" u on u.tenant_id = p.tenant_id
where p.tenant_id = $1
"""
_ENDPOINTS = """
insert into endpoint (id, tenant_id, name, project_id, model_id, url, namespace, status, created_by, active_replicas,
                      total_replicas, number_of_nodes, supported_endpoints, cache_enabled, is_deprecated, is_published,
                      created_at, modified_at)
select gen_random_uuid(), $1, 'endpoint ' || row_number() over (), p.id, gen_random_uuid(), 'http://model',
       'namespace', 'running', $2, 1, 1, 1, '{}', false, false, false, now(), now()
from project p, generate_series(1, 2) n
where p.tenant_id = $1
"""


_PEOPLE = """
insert into "user" (id, tenant_id, auth_id, name, email, role, user_type, status, color, first_login, is_reset_password,
                    created_at, modified_at)
select gen_random_uuid(), $1, gen_random_uuid(), 'person ' || n, 'person' || n || '@example.com',
       'developer', 'admin', 'active', '#E57333', false, false, now() - n * interval '1 minute', now()
from generate_series(1, $2::int) n
"""
_MODELS = """
insert into model (id, tenant_id, created_by, name, description, source, provider_type, uri, author, bud_verified,
                   eval_verified, tags, tasks, modality, supported_endpoints, model_size, status,
                   created_at, modified_at)
select gen_random_uuid(), $1, $2, 'model ' || n, 'what it is for, in a line of text', 'local', 'hugging_face',
       'acme/' || n, 'acme', false, false, '[{"name": "chat", "color": "#E57333"}]', '[]', '{text_input,text_output}',
       '{/v1/chat/completions}', 7000000000, 'active', now() - n * interval '1 minute', now()
from generate_series(1, $3::int) n
"""
_WORKFLOWS = """
insert into workflow (id, tenant_id, created_by, workflow_type, status, visibility, title, current_step, total_steps,
                      created_at, modified_at)
select gen_random_uuid(), $1, $2, 'model_deployment', 'in_progress', 'public', 'workflow ' || n, 1, 3,
       now() - n * interval '1 minute', now()
from generate_series(1, $3::int) n
"""


@dataclass(frozen=True)
class TenantGround:
    """A tenant with its projects, people, models and workflows, and a signed-in administrator."""

    realm: str
    client_id: str
    token: str
    ids: dict[str, UUID]


def in_process_settings() -> Settings:
    """Return the stack's settings, with a database and realms of the benchmark's own."""
    settings = load_settings()
    return load_settings(
        psql_db_name=f"{settings.psql_db_name}_bench",
        default_realm_name=f"{settings.default_realm_name}-bench",
        keycloak_access_token_lifespan_seconds=3600,
        keycloak_mirror_seconds=86_400,
        log_level="ERROR",
    )


@asynccontextmanager
async def prepared(
    settings: Settings, sizes: tuple[int, ...], *, accounts: bool = True
) -> AsyncIterator[dict[int, TenantGround]]:
    """Make the database and a tenant of each size; all of it goes away at the end.

    Args:
        settings: name the database and the realms, which are made anew.
        sizes: how many projects, people, models and workflows each tenant has.
        accounts: whether the realm is to know the people. A server whose jobs run disables those that it does not
            know; 20,000 accounts take Keycloak minutes.
    """
    keycloak = Keycloak(settings)
    await _remake_database(settings)
    await asyncio.to_thread(_migrate, settings)
    database = Database(settings)
    realms = [f"{settings.default_realm_name}-{size}" for size in sizes]
    try:
        yield {
            size: await _tenant(database, keycloak, settings, realm, size, accounts=accounts)
            for realm, size in zip(realms, sizes, strict=True)
        }
    finally:
        for realm in realms:
            await _delete_realm(keycloak, realm)
        await keycloak.close()
        await database.dispose()
        await _admin(settings, f'drop database if exists "{settings.psql_db_name}" with (force)')


def dsn(settings: Settings, name: str | None = None) -> str:
    url = database_url(settings).set(drivername="postgresql", database=name or settings.psql_db_name)
    return url.render_as_string(hide_password=False)


async def _admin(settings: Settings, *statements: str) -> None:
    connection = await asyncpg.connect(dsn(settings, "postgres"))
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def _remake_database(settings: Settings) -> None:
    name = settings.psql_db_name
    await _admin(settings, f'drop database if exists "{name}" with (force)', f'create database "{name}"')


def _migrate(settings: Settings) -> None:
    config = alembic_config()
    config.attributes["url"] = database_url(settings)
    command.upgrade(config, "head")


async def _tenant(
    database: Database, keycloak: Keycloak, settings: Settings, realm: str, size: int, *, accounts: bool
) -> TenantGround:
    await _delete_realm(keycloak, realm)
    async with database.write() as session:
        tenant = await ensure_tenant(
            session,
            keycloak,
            database.encryption,
            name=realm,
            realm=realm,
            client_id=settings.default_client_name,
            is_platform=False,
        )
    _, client = await keycloak.ensure_client(realm, settings.default_client_name)
    email = "bench@example.com"
    account = NewUser(email, "bench", _PASSWORD, [UserRole.SUPER_ADMIN])
    auth_id = await keycloak.create_user(realm, account)
    users = [_user(tenant.id, auth_id, email)]
    users += [_user(tenant.id, str(uuid7()), f"member{n}@example.com") for n in range(1, _MEMBERS)]
    async with database.write() as session:
        session.add_all(users)
    ids = await _fill(settings, tenant.id, users[0].id, size)
    if accounts:
        await _give_accounts(keycloak, settings, tenant.id, realm)
    tokens = await keycloak.sign_in(client, email, _PASSWORD, remember=False)
    return TenantGround(realm, client.client_id, tokens["access_token"], ids)


async def _give_accounts(keycloak: Keycloak, settings: Settings, tenant_id: UUID, realm: str) -> None:
    """Create an account for each of the tenant's people."""
    connection = await asyncpg.connect(dsn(settings))
    try:
        people = await connection.fetch('select auth_id, email, role from "user" where tenant_id = $1', tenant_id)
    finally:
        await connection.close()
    accounts = [
        {"id": one["auth_id"], "username": one["email"], "email": one["email"], "enabled": True}
        | {"realmRoles": [one["role"]]}
        for one in people
    ]
    admin = keycloak.admin(settings.keycloak_realm_name)
    for at in range(0, len(accounts), _ACCOUNTS_AT_ONCE):
        some = {"ifResourceExists": "SKIP", "users": accounts[at : at + _ACCOUNTS_AT_ONCE]}
        await admin.a_partial_import_realm(realm, some)


async def _delete_realm(keycloak: Keycloak, realm: str) -> None:
    with suppress(NotFound):
        await keycloak.delete_realm(realm)


def _user(tenant_id: UUID, auth_id: str, email: str) -> User:
    return User(
        id=uuid7(),
        tenant_id=tenant_id,
        auth_id=auth_id,
        name=email.partition("@")[0],
        email=email,
        role=UserRole.SUPER_ADMIN,
        user_type=UserType.ADMIN,
        status=UserStatus.ACTIVE,
        color="#E57333",
        first_login=False,
        is_reset_password=False,
    )


async def _fill(settings: Settings, tenant_id: UUID, user_id: UUID, size: int) -> dict[str, UUID]:
    """Fill the tenant, and return the newest project, person and model."""
    connection = await asyncpg.connect(dsn(settings))
    try:
        await connection.execute(_PROJECTS, tenant_id, user_id, size)
        await connection.execute(_MEMBERSHIPS, tenant_id)
        await connection.execute(_ENDPOINTS, tenant_id, user_id)
        await connection.execute(_PEOPLE, tenant_id, size - _MEMBERS)
        await connection.execute(_MODELS, tenant_id, user_id, size)
        await connection.execute(_WORKFLOWS, tenant_id, user_id, size)
        await connection.execute("vacuum (analyze)")
        newest = 'select id from "{}" where tenant_id = $1 order by created_at desc limit 1'
        return {
            f"{table}_id": await connection.fetchval(newest.format(table), tenant_id)
            for table in ("project", "user", "model")
        }
    finally:
        await connection.close()


def peer_port(name: str) -> int:
    """Return the port of a peer's stand-in on the running stack."""
    return int(dotenv_values(os.environ.get("BUDAPP_ENV_FILE", ".env"))[f"{name.upper()}_PORT"] or 0)
