"""The people of the tests: two tenants, each with its realm, and everyone with a real access token."""

import asyncio
import contextlib
import os
import re
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from fastapi import FastAPI
from uuid_utils.compat import uuid7

from budapp.commons.config import Settings
from budapp.commons.database import Database
from budapp.commons.domain import components_of
from budapp.commons.encryption import Encryption
from budapp.commons.errors import AppError
from budapp.commons.scopes import UserRole, UserType
from budapp.integrations.keycloak import Keycloak, NewUser, RealmClient
from budapp.tenant_ops.models import Tenant, TenantClient
from budapp.user_ops.models import User, UserStatus

PASSWORD = "Correct-Horse-1"


@dataclass(frozen=True)
class Role:
    realm: int
    role: UserRole
    user_type: UserType
    status: UserStatus = UserStatus.ACTIVE


ROLES = {
    "admin": Role(0, UserRole.SUPER_ADMIN, UserType.ADMIN),
    "manager": Role(0, UserRole.ADMIN, UserType.ADMIN),
    "developer": Role(0, UserRole.DEVELOPER, UserType.ADMIN),
    "tester": Role(0, UserRole.TESTER, UserType.ADMIN),
    "client": Role(0, UserRole.DEVELOPER, UserType.CLIENT),
    "invited": Role(0, UserRole.DEVELOPER, UserType.ADMIN, UserStatus.INVITED),
    "other_admin": Role(1, UserRole.SUPER_ADMIN, UserType.ADMIN),
    "other_developer": Role(1, UserRole.DEVELOPER, UserType.ADMIN),
}


@dataclass(frozen=True)
class Account:
    """An identity in Keycloak, signed in."""

    auth_id: str
    email: str
    tokens: dict[str, Any] = field(repr=False)


@dataclass(frozen=True)
class Realms:
    clients: list[RealmClient]
    client_ids: list[str]
    accounts: dict[str, Account]


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


async def remove_realms_of_ended_runs(keycloak: Keycloak, settings: Settings) -> None:
    """Delete what runs have left that were killed: each realm slows Keycloak down."""
    for realm in await keycloak.admin(settings.keycloak_realm_name).a_get_realms():
        process = re.match(r"test-\w+-(\d+)-", realm["realm"])
        if process and not _alive(int(process[1])):
            with contextlib.suppress(AppError):  # another run was quicker, or Keycloak can't; the next run tries again
                await keycloak.delete_realm(realm["realm"])


async def forget_failures(app: FastAPI) -> None:
    """Have Keycloak forget wrong passwords, for which it locks an account: the tests of a worker share them."""
    admin = components_of(app)[Keycloak].admin(components_of(app)[Settings].default_realm_name)
    await admin.a_clear_all_bruteforce_attempts()


async def make_realms(keycloak: Keycloak, settings: Settings) -> Realms:
    """Make both realms and everyone's account, and sign everyone in."""
    names = [settings.default_realm_name, settings.default_realm_name.removesuffix("a") + "b"]
    made = []
    for name in names:
        await keycloak.ensure_realm(name, list(UserRole))
        made.append(await keycloak.ensure_client(name, settings.default_client_name))
    clients = [client for _, client in made]

    async def enrol(name: str, role: Role) -> Account:
        email = f"{name.replace('_', '-')}@example.com"
        client = clients[role.realm]
        auth_id = await keycloak.create_user(client.realm, NewUser(email, name, PASSWORD, [role.role]))
        return Account(auth_id, email, await keycloak.sign_in(client, email, PASSWORD, remember=False))

    accounts = await asyncio.gather(*(enrol(name, role) for name, role in ROLES.items()))
    return Realms(clients, [client_id for client_id, _ in made], dict(zip(ROLES, accounts, strict=True)))


@dataclass(frozen=True)
class Person:
    """Somebody who can call the API."""

    id: UUID
    tenant_id: UUID
    email: str
    tokens: dict[str, Any] = field(repr=False)

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens['access_token']}"}


@dataclass(frozen=True)
class Cast:
    """`admin` (super administrator), `manager` (administrator), `developer`, `tester`, `client` and `invited` are of
    the platform's own tenant, `other_admin` and `other_developer` of another."""

    tenant_id: UUID
    other_tenant_id: UUID
    admin: Person
    manager: Person
    developer: Person
    tester: Person
    client: Person
    invited: Person
    other_admin: Person
    other_developer: Person

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:
        """What Hypothesis shows instead of everyone's tokens."""
        printer.text("cast")

    @classmethod
    async def enter(cls, database: Database, realms: Realms) -> "Cast":
        """Put the tenants and everyone's rows into the empty database."""
        tenants = [uuid7(), uuid7()]
        people: dict[str, Person] = {}
        async with database.write() as session:
            for tenant_id, client, internal_id in zip(tenants, realms.clients, realms.client_ids, strict=True):
                session.add(tenant_row(tenant_id, client, is_platform=tenant_id == tenants[0]))
                await session.flush()
                session.add(client_row(database.encryption, tenant_id, client, internal_id))
            for name, role in ROLES.items():
                account = realms.accounts[name]
                user = user_row(tenants[role.realm], name, account, role)
                session.add(user)
                people[name] = Person(user.id, user.tenant_id, account.email, account.tokens)
        return cls(tenant_id=tenants[0], other_tenant_id=tenants[1], **people)


def tenant_row(tenant_id: UUID, client: RealmClient, *, is_platform: bool = False) -> Tenant:
    realm = client.realm
    return Tenant(id=tenant_id, name=realm, realm_name=realm, tenant_identifier=realm, is_platform=is_platform)


def client_row(encryption: Encryption, tenant_id: UUID, client: RealmClient, internal_id: str) -> TenantClient:
    return TenantClient(
        tenant_id=tenant_id,
        client_id=internal_id,
        client_named_id=client.client_id,
        client_secret_encrypted=encryption.encrypt(client.secret, f"tenant_client:{tenant_id}"),
    )


def user_row(tenant_id: UUID, name: str, account: Account, role: Role) -> User:
    return User(
        id=uuid7(),
        tenant_id=tenant_id,
        auth_id=account.auth_id,
        name=name,
        email=account.email,
        role=role.role,
        user_type=role.user_type,
        status=role.status,
        color="#E57333",
        first_login=False,
        is_reset_password=False,
    )
