from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from budapp.commons.auditing import Audited, NotAudited
from budapp.commons.database import Base, TenantOwned
from budapp.commons.encrypted_columns import sealed


class CloudProvider(Base):
    """A company in whose cloud clusters can be made; the same for all tenants.

    `schema_definition` says what a credential consists of, and `unique_id` is budcluster's name for the provider.
    """

    __tablename__ = "cloud_provider"
    audited = NotAudited("comes with the service, the same for all")

    unique_id: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    description: Mapped[str]
    logo_url: Mapped[str]
    is_enabled: Mapped[bool] = mapped_column(default=True)
    schema_definition: Mapped[dict[str, Any]] = mapped_column(JSONB)
    regions: Mapped[list[dict[str, str]]] = mapped_column(JSONB, default=list)


class CloudCredential(TenantOwned, Base):
    """Access to a provider's cloud, stored by a user for all who manage clusters; `summary` is what may be shown."""

    __tablename__ = "cloud_credential"
    audited = Audited("secret", name="credential_name")

    user_id: Mapped[UUID] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"))
    provider_id: Mapped[UUID] = mapped_column(ForeignKey("cloud_provider.id"))
    credential_name: Mapped[str]
    values_encrypted: Mapped[str] = sealed("cloud_credential:{id}")
    summary: Mapped[dict[str, str]] = mapped_column(JSONB)


Index("ix_cloud_credential_tenant_id", CloudCredential.tenant_id, CloudCredential.created_at.desc())
