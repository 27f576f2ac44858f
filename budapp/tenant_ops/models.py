from uuid import UUID

from sqlalchemy import ForeignKey, Index, false, func
from sqlalchemy.orm import Mapped, mapped_column

from budapp.commons.auditing import Audited
from budapp.commons.database import Base
from budapp.commons.encrypted_columns import sealed
from budapp.commons.feeding import FeedsGateway


class Tenant(Base):
    """A company on the platform; its people live in a Keycloak realm of its own.

    The one that `is_platform` belongs to those who run the platform.
    """

    __tablename__ = "tenant"
    audited = Audited("config", name="name")
    feeds_gateway = FeedsGateway({"tenant": ("id",)}, when=("is_active", "is_platform"))

    name: Mapped[str]
    realm_name: Mapped[str] = mapped_column(unique=True)
    tenant_identifier: Mapped[str] = mapped_column(unique=True)
    description: Mapped[str | None]
    is_active: Mapped[bool] = mapped_column(default=True)
    is_platform: Mapped[bool] = mapped_column(default=False, server_default=false())


class TenantClient(Base):
    """The Keycloak client through which a tenant's people sign in."""

    __tablename__ = "tenant_client"
    audited = Audited("config", name="client_named_id")

    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenant.id", ondelete="CASCADE"), unique=True)
    client_id: Mapped[str]
    client_named_id: Mapped[str]
    client_secret_encrypted: Mapped[str] = sealed("tenant_client:{tenant_id}")


Index("uq_tenant_name", func.lower(Tenant.name), unique=True)
