from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from budapp.commons.auditing import Audited, NotAudited
from budapp.commons.database import Base, TenantOwned, now
from budapp.commons.encrypted_columns import sealed


class TenantOAuthConfig(TenantOwned, Base):
    """A provider at which a tenant's people can sign in.

    With `enforced`, people whose address is of `allowed_domains` can sign in nowhere else.
    """

    __tablename__ = "tenant_oauth_config"
    __table_args__ = (UniqueConstraint("tenant_id", "provider"),)
    audited = Audited("config", name="provider")

    provider: Mapped[str]
    client_id: Mapped[str]
    client_secret_encrypted: Mapped[str] = sealed("tenant_oauth_config:{tenant_id}:{provider}")
    enabled: Mapped[bool] = mapped_column(default=True)
    allowed_domains: Mapped[list[str]] = mapped_column(ARRAY(String), default=list)
    auto_create_users: Mapped[bool] = mapped_column(default=False)
    enforced: Mapped[bool] = mapped_column(default=False)
    config_data: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)


class OAuthSession(TenantOwned, Base):
    """A sign-in that is under way at a replica of an earlier version; the table goes with the next release."""

    __tablename__ = "oauth_session"
    audited = NotAudited("how the sign-in ends leaves an entry")

    provider: Mapped[str]
    state_hash: Mapped[str] = mapped_column(unique=True)
    nonce: Mapped[str]
    code_verifier_encrypted: Mapped[str] = sealed("oauth_session:{state_hash}")
    redirect_uri: Mapped[str]
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"))
    expires_at: Mapped[datetime] = mapped_column(index=True)


class OAuthExchange(TenantOwned, Base):
    """Tokens that wait at a replica of an earlier version; the table goes with the next release."""

    __tablename__ = "oauth_exchange"
    audited = NotAudited("the sign-in that the tokens are of leaves an entry")

    token_hash: Mapped[str] = mapped_column(unique=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"))
    tokens_encrypted: Mapped[str] = sealed("oauth_exchange:{token_hash}")
    expires_at: Mapped[datetime] = mapped_column(index=True)


class UserOAuthProvider(TenantOwned, Base):
    """What a provider calls a user."""

    __tablename__ = "user_oauth_provider"
    __table_args__ = (UniqueConstraint("user_id", "provider"), UniqueConstraint("tenant_id", "provider", "external_id"))
    audited = Audited("user", name="provider")

    user_id: Mapped[UUID] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"))
    provider: Mapped[str]
    external_id: Mapped[str]
    email: Mapped[str | None]
    linked_at: Mapped[datetime] = mapped_column(default=now)
