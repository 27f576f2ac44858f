from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import delete, select

from budapp.commons.database import Database, ReadSession, now
from budapp.oauth_ops.models import OAuthExchange, OAuthSession, TenantOAuthConfig, UserOAuthProvider


async def find_config(
    session: ReadSession, tenant_id: UUID, provider: str, *, for_update: bool = False
) -> TenantOAuthConfig | None:
    statement = select(TenantOAuthConfig).where(
        TenantOAuthConfig.tenant_id == tenant_id, TenantOAuthConfig.provider == provider
    )
    found: TenantOAuthConfig | None = await session.scalar(statement.with_for_update() if for_update else statement)
    return found


async def configs(session: ReadSession, tenant_id: UUID) -> Sequence[TenantOAuthConfig]:
    """Return the tenant's providers, by name."""
    statement = select(TenantOAuthConfig).where(TenantOAuthConfig.tenant_id == tenant_id)
    return (await session.scalars(statement.order_by(TenantOAuthConfig.provider))).all()


async def tenants_with_providers(session: ReadSession) -> Sequence[UUID]:
    """Return the ids of tenants whose people can sign in at a provider."""
    enabled = select(TenantOAuthConfig.tenant_id).where(TenantOAuthConfig.enabled)
    return (await session.scalars(enabled.distinct())).all()


async def is_enforced(session: ReadSession, tenant_id: UUID, domain: str) -> bool:
    """Tell whether people of the domain must sign in at a provider."""
    config = TenantOAuthConfig
    here = (config.tenant_id == tenant_id, config.enabled, config.enforced, config.allowed_domains.contains([domain]))
    return await session.scalar(select(config.id).where(*here).limit(1)) is not None


async def find_link(session: ReadSession, user_id: UUID, provider: str) -> UserOAuthProvider | None:
    """Return what the provider calls the user."""
    link = UserOAuthProvider
    found: UserOAuthProvider | None = await session.scalar(
        select(link).where(link.user_id == user_id, link.provider == provider)
    )
    return found


async def purge(database: Database) -> None:
    """Delete what replicas of an earlier version left."""
    async with database.write() as session:
        for table in (OAuthSession, OAuthExchange):
            await session.execute(delete(table).where(table.expires_at < now()))
