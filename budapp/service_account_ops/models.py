from uuid import UUID

from sqlalchemy import ForeignKey, Index, func
from sqlalchemy.orm import Mapped, mapped_column

from budapp.commons.auditing import Audited
from budapp.commons.database import Base, TenantOwned


class ServiceAccount(TenantOwned, Base):
    """A principal that is no person: what it does is done by the row of `user` with the same id.

    That row says what it may do and whether it is enabled, and stays for the record when this one is deleted.
    """

    __tablename__ = "service_account"
    audited = Audited("service", name="name")

    id: Mapped[UUID] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str]
    description: Mapped[str | None]
    created_by: Mapped[UUID] = mapped_column(ForeignKey("user.id"))


Index("uq_service_account_tenant_id_name", ServiceAccount.tenant_id, func.lower(ServiceAccount.name), unique=True)
Index(
    "ix_service_account_tenant_id_created_at",
    ServiceAccount.tenant_id,
    ServiceAccount.created_at.desc(),
    ServiceAccount.id.desc(),
)
