from datetime import timedelta
from uuid import UUID

from sqlalchemy import exists, func, select
from sqlalchemy.dialects.postgresql import insert
from uuid_utils.compat import uuid7

from budapp.auth.models import PasswordReset
from budapp.auth.tokens import Claims
from budapp.commons.access import Caller
from budapp.commons.database import ReadSession, WriteSession, now
from budapp.tenant_ops.models import Tenant, TenantClient
from budapp.user_ops.columns import ADMITTED, PERSON, people
from budapp.user_ops.identity import caller_of
from budapp.user_ops.models import RevokedSession, User, UserStatus

_PEERS_CALL = timedelta(minutes=5)


async def client_of_realm(session: ReadSession, realm: str) -> str | None:
    """Return the client through which the people of the realm's active tenant sign in."""
    statement = select(TenantClient.client_named_id).join(Tenant, Tenant.id == TenantClient.tenant_id)
    client_id: str | None = await session.scalar(statement.where(Tenant.realm_name == realm, Tenant.is_active))
    return client_id


async def find_user(session: ReadSession, tenant_id: UUID, auth_id: str) -> User | None:
    """Return the tenant's user with this Keycloak id, unless they are deleted."""
    statement = select(User).where(User.tenant_id == tenant_id, User.auth_id == auth_id)
    user: User | None = await session.scalar(statement.where(User.status != UserStatus.DELETED))
    return user


async def find_by_auth_id(session: ReadSession, auth_id: str, tenant_id: UUID | None = None) -> User | None:
    """Return the user with this Keycloak id, where asked of the tenant, deleted or not."""
    statement = select(User).where(User.auth_id == auth_id)
    if tenant_id is not None:
        statement = statement.where(User.tenant_id == tenant_id)
    user: User | None = await session.scalar(statement)
    return user


async def find_caller(session: ReadSession, claims: Claims) -> Caller | None:
    """Return the person whom the token names, unless they, their tenant or the session are out."""
    ended = exists().where(RevokedSession.session_id == claims.session_id)
    statement = people().where(User.auth_id == claims.auth_id, Tenant.realm_name == claims.realm, ADMITTED, PERSON)
    statement = statement.where(~ended)
    row = (await session.execute(statement)).one_or_none()
    if row is None:
        return None
    return caller_of(
        row.User,
        realm=claims.realm,
        session_id=claims.session_id,
        token_expires_at=claims.expires_at,
        overrides=row.overrides,
        of_platform=row.is_platform,
    )


async def user_by_id(session: ReadSession, user_id: UUID) -> User | None:
    """Return the person, of whichever tenant."""
    return await session.get(User, user_id)


async def caller_by_id(session: ReadSession, user_id: UUID) -> Caller | None:
    """Return the person with this id as a caller without a session, unless they or their tenant are out."""
    statement = people().where(User.id == user_id, ADMITTED)
    row = (await session.execute(statement)).one_or_none()
    if row is None:
        return None
    return caller_of(
        row.User,
        realm=row.realm_name,
        session_id="",
        token_expires_at=now() + _PEERS_CALL,
        overrides=row.overrides,
        of_platform=row.is_platform,
    )


async def find_user_by_email(session: ReadSession, tenant_id: UUID, email: str) -> User | None:
    """Return the tenant's user with this e-mail, unless they are deleted."""
    statement = select(User).where(User.tenant_id == tenant_id, func.lower(User.email) == email.lower(), PERSON)
    user: User | None = await session.scalar(statement.where(User.status != UserStatus.DELETED))
    return user


async def realm_of(session: ReadSession, user: User) -> str:
    realm: str = (await session.execute(select(Tenant.realm_name).where(Tenant.id == user.tenant_id))).scalar_one()
    return realm


async def replace_reset(session: WriteSession, reset: PasswordReset) -> None:
    """Keep the reset as the user's only one; parallel ones leave the last."""
    values = {"id": uuid7(), "tenant_id": reset.tenant_id, "user_id": reset.user_id}
    fresh = {"token_hash": reset.token_hash, "expires_at": reset.expires_at}
    statement = insert(PasswordReset).values(**values, **fresh)
    await session.execute(statement.on_conflict_do_update(index_elements=["user_id"], set_=fresh))


async def delete_reset(session: WriteSession, user: User) -> None:
    """Take back the link that the user was mailed, if there is one."""
    reset = await session.scalar(select(PasswordReset).where(PasswordReset.user_id == user.id).with_for_update())
    if reset is not None:
        await session.delete(reset)


async def find_reset(
    session: ReadSession, token_hash: str, *, for_update: bool = False
) -> tuple[PasswordReset, User] | None:
    """Return the reset that is still good and its user, both locked where asked."""
    statement = select(PasswordReset, User).join(User, User.id == PasswordReset.user_id)
    statement = statement.join(Tenant, Tenant.id == User.tenant_id).where(Tenant.is_active)
    statement = statement.where(PasswordReset.token_hash == token_hash, PasswordReset.expires_at > now())
    statement = statement.where(User.status != UserStatus.DELETED)
    if for_update:
        statement = statement.with_for_update(of=[PasswordReset, User])
    row = (await session.execute(statement)).one_or_none()
    return (row.PasswordReset, row.User) if row else None
