"""People who come in by themselves, by registering or from an identity provider."""

from budapp.auth.tokens import IdentityClaims
from budapp.commons.database import WriteSession, now
from budapp.commons.scopes import UserRole, UserType
from budapp.integrations.keycloak import Keycloak
from budapp.project_ops.schemas import ProjectCreate
from budapp.project_ops.services import create_project
from budapp.tenant_ops.services import TenantAccess
from budapp.user_ops.accounts import NewAccount, enter_account
from budapp.user_ops.identity import caller_of
from budapp.user_ops.models import User, UserStatus

_FIRST_PROJECT = "My First Project"


async def enter_newcomer(
    session: WriteSession,
    keycloak: Keycloak,
    access: TenantAccess,
    claims: IdentityClaims,
    *,
    role: UserRole,
    user_type: UserType,
) -> User:
    """Make a user of somebody whose account Keycloak has made from what a provider says of them."""
    account = NewAccount(
        tenant_id=access.tenant_id,
        realm=access.client.realm,
        email=claims.email,
        name=(claims.name or claims.email.partition("@")[0])[:100],
        password=None,
        role=role,
        user_type=user_type,
        status=UserStatus.ACTIVE,
        must_change_password=False,
    )
    user = await enter_account(session, account, claims.auth_id)
    await keycloak.set_role(account.realm, claims.auth_id, role, list(UserRole))
    if user_type is UserType.CLIENT:
        await make_first_project(session, user, account.realm)
    return user


async def make_first_project(session: WriteSession, user: User, realm: str) -> None:
    """Give a customer's user a project to begin with."""
    owner = caller_of(user, realm=realm, session_id="", token_expires_at=now())
    await create_project(session, owner, ProjectCreate(name=_FIRST_PROJECT))
