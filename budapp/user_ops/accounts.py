"""Accounts: a person's row in PostgreSQL and their identity in Keycloak, made together or not at all."""

import random
import secrets
import string
from dataclasses import dataclass, field
from uuid import UUID

from budapp.commons.database import WriteSession, after_rollback, release
from budapp.commons.errors import Conflict
from budapp.commons.hooks import hooks_of
from budapp.commons.integrity import conflict_on
from budapp.commons.scopes import Overrides, UserRole, UserType
from budapp.events.notify import create_subscriber
from budapp.integrations.keycloak import Keycloak, NewUser
from budapp.user_ops import crud, hooks
from budapp.user_ops.models import User, UserPermission, UserStatus

COLORS = ("#E57333", "#FFC442", "#61A560", "#3F8EF7", "#C64C9C", "#95E0FB")

_EMAIL_TAKEN = "A user with this e-mail address already exists"


@dataclass(frozen=True, slots=True)
class NewAccount:
    """Who is to get an account, where, and as what; without a password where a provider vouches for them."""

    tenant_id: UUID
    realm: str
    email: str
    name: str
    password: str | None
    role: UserRole
    user_type: UserType
    status: UserStatus
    must_change_password: bool
    company: str | None = None
    purpose: str | None = None
    overrides: Overrides = field(default_factory=dict)


def random_password() -> str:
    """Return a password of 20 characters that meets every rule."""
    alphabet = string.ascii_letters + string.digits
    kinds = (string.ascii_uppercase, string.ascii_lowercase, string.digits, "@!#%")
    required = [secrets.choice(kind) for kind in kinds]
    characters = required + [secrets.choice(alphabet) for _ in range(16)]
    secrets.SystemRandom().shuffle(characters)
    return "".join(characters)


async def open_account(session: WriteSession, keycloak: Keycloak, account: NewAccount) -> User:
    """Make the identity, then the row; a unit of work that fails later takes the identity back.

    Raises:
        Conflict: the tenant has someone with this e-mail.
    """
    if await crud.find_by_emails(session, account.tenant_id, [account.email]):
        raise Conflict(_EMAIL_TAKEN, param="email")
    await release(session)
    return await enter_account(session, account, await _create_identity(session, keycloak, account))


async def enter_account(session: WriteSession, account: NewAccount, auth_id: str) -> User:
    """Make the row of somebody who has an identity in Keycloak.

    Raises:
        Conflict: the tenant has someone with this e-mail.
    """
    user = User(
        tenant_id=account.tenant_id,
        auth_id=auth_id,
        name=account.name,
        email=account.email,
        role=account.role,
        user_type=account.user_type,
        status=account.status,
        color=random.choice(COLORS),  # noqa: S311
        company=account.company,
        purpose=account.purpose,
        first_login=True,
        is_reset_password=account.must_change_password,
    )
    session.add(user)
    with conflict_on("uq_user_tenant_id_email", Conflict(_EMAIL_TAKEN, param="email")):
        await session.flush()
    session.add_all(
        UserPermission(tenant_id=account.tenant_id, user_id=user.id, scope=scope, granted=granted)
        for scope, granted in account.overrides.items()
    )
    for welcome in hooks_of(session).all(hooks.after_creation):
        await welcome(session, user)
    await create_subscriber(session, user_id=user.id, email=user.email, name=user.name)
    return user


async def _create_identity(session: WriteSession, keycloak: Keycloak, account: NewAccount) -> str:
    assert account.password is not None
    new_user = NewUser(account.email, account.name, account.password, [account.role])
    try:
        auth_id = await keycloak.create_user(account.realm, new_user)
    except Conflict:
        orphan = await keycloak.orphan(account.realm, account.email)
        if orphan is None or await crud.find_by_auth_id(session, orphan):
            raise Conflict(_EMAIL_TAKEN, param="email") from None
        await release(session)
        await keycloak.delete_user(account.realm, orphan)
        auth_id = await keycloak.create_user(account.realm, new_user)

    async def take_back() -> None:
        await keycloak.delete_user(account.realm, auth_id)

    after_rollback(session, take_back)
    return auth_id


def activate(user: User) -> None:
    """Let in somebody who was invited, now that it is known to be them."""
    user.status = UserStatus.ACTIVE


def note_own_password(user: User) -> None:
    """Note that the person has chosen their own password: they are let in, and not asked for another one."""
    activate(user)
    user.first_login = user.is_reset_password = False


async def ensure_administrator(
    session: WriteSession, keycloak: Keycloak, *, tenant_id: UUID, realm: str, email: str, password: str
) -> User:
    """Bring the tenant's first super administrator into being; an identity or a row that exists is kept."""
    auth_id = await keycloak.find_user(realm, email)
    if auth_id is None:
        new_user = NewUser(email, "Administrator", password, [UserRole.SUPER_ADMIN])
        auth_id = await keycloak.create_user(realm, new_user)
    user = (await crud.find_by_emails(session, tenant_id, [email])).get(email)
    if user is None:
        user = User(tenant_id=tenant_id, name="Administrator", email=email, color=COLORS[0])
        user.role, user.user_type = UserRole.SUPER_ADMIN, UserType.ADMIN
        note_own_password(user)
    if user.auth_id != auth_id:
        user.auth_id = auth_id
    session.add(user)
    await session.flush()
    return user
