from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, func
from sqlalchemy.orm import Mapped, mapped_column

from budapp.commons.auditing import Audited
from budapp.commons.database import Base, TenantOwned, not_deleted
from budapp.commons.feeding import FeedsGateway


class AdapterStatus(StrEnum):
    RUNNING = "running"
    FAILURE = "failure"
    DEPLOYING = "deploying"
    UNHEALTHY = "unhealthy"
    DELETING = "deleting"
    DELETED = "deleted"
    PENDING = "pending"


class Adapter(TenantOwned, Base):
    """An adapter that a deployment's engine has loaded; clients name it by `deployment_name`."""

    __tablename__ = "adapter"
    audited = Audited("adapter", name="name")
    feeds_gateway = FeedsGateway(
        {"adapter": ("id",), "endpoint": ("endpoint_id",)}, when=("name", "deployment_name", "model_id", "status")
    )
    __table_args__ = (
        CheckConstraint(
            "status in ('running', 'failure', 'deploying', 'unhealthy', 'deleting', 'deleted', 'pending')",
            name="status",
        ),
    )

    name: Mapped[str]
    deployment_name: Mapped[str]
    endpoint_id: Mapped[UUID] = mapped_column(ForeignKey("endpoint.id", ondelete="CASCADE"))
    model_id: Mapped[UUID]
    status: Mapped[str]
    created_by: Mapped[UUID] = mapped_column(ForeignKey("user.id"))


Index(
    "uq_adapter_name", Adapter.tenant_id, func.lower(Adapter.name), unique=True, postgresql_where=not_deleted(Adapter)
)
Index("uq_adapter_model", Adapter.endpoint_id, Adapter.model_id, unique=True, postgresql_where=not_deleted(Adapter))
Index("ix_adapter_created_at", Adapter.endpoint_id, Adapter.created_at.desc(), Adapter.id.desc())
