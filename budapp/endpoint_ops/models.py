from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, ForeignKey, Index, String, func, literal_column
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from budapp.commons.auditing import Audited
from budapp.commons.database import Base, TenantOwned, not_deleted
from budapp.commons.feeding import FeedsGateway

GATEWAY_COLUMNS = (
    *("name", "project_id", "model_id", "credential_id", "url", "namespace", "status", "supported_endpoints"),
    *("deployment_settings", "inference_cost", "is_published"),
)
"""What the gateway's tables follow from."""


class EndpointStatus(StrEnum):
    RUNNING = "running"
    FAILURE = "failure"
    DEPLOYING = "deploying"
    UNHEALTHY = "unhealthy"
    DELETING = "deleting"
    DELETED = "deleted"
    PENDING = "pending"


class Endpoint(TenantOwned, Base):
    """A model deployed in a project; without a cluster where a provider's cloud runs it."""

    __tablename__ = "endpoint"
    audited = Audited("endpoint", name="name")
    feeds_gateway = FeedsGateway(
        {"endpoint": ("id",), "project": ("project_id",), "catalog": ("tenant_id",)}, when=GATEWAY_COLUMNS
    )
    __table_args__ = (
        CheckConstraint(
            "status in ('running', 'failure', 'deploying', 'unhealthy', 'deleting', 'deleted', 'pending')",
            name="status",
        ),
    )

    name: Mapped[str]
    project_id: Mapped[UUID] = mapped_column(ForeignKey("project.id", ondelete="CASCADE"))
    model_id: Mapped[UUID]
    cluster_id: Mapped[UUID | None] = mapped_column(ForeignKey("cluster.id"))
    bud_cluster_id: Mapped[UUID | None]
    credential_id: Mapped[UUID | None]
    url: Mapped[str]
    namespace: Mapped[str]
    status: Mapped[str]
    status_sync_at: Mapped[datetime | None]
    created_by: Mapped[UUID] = mapped_column(ForeignKey("user.id"))
    active_replicas: Mapped[int] = mapped_column(default=0)
    total_replicas: Mapped[int] = mapped_column(default=0)
    number_of_nodes: Mapped[int] = mapped_column(default=0)
    node_list: Mapped[list[Any] | None] = mapped_column(JSONB(none_as_null=True))
    supported_endpoints: Mapped[list[str]] = mapped_column(ARRAY(String), default=list)
    model_configuration: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    deployment_config: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    deployment_settings: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    inference_cost: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    cache_enabled: Mapped[bool] = mapped_column(default=False)
    cache_config: Mapped[str | None]
    is_deprecated: Mapped[bool] = mapped_column(default=False)
    is_published: Mapped[bool] = mapped_column(default=False)
    published_date: Mapped[datetime | None]
    published_by: Mapped[UUID | None] = mapped_column(ForeignKey("user.id"))


Index(
    "uq_endpoint_name",
    Endpoint.tenant_id,
    func.lower(Endpoint.name),
    unique=True,
    postgresql_where=not_deleted(Endpoint),
)
Index(
    "ix_endpoint_project_id_cluster_id",
    Endpoint.project_id,
    Endpoint.cluster_id,
    postgresql_where=not_deleted(Endpoint),
)
Index(
    "ix_endpoint_tenant_id_created_at",
    Endpoint.tenant_id,
    Endpoint.created_at.desc(),
    Endpoint.id.desc(),
    postgresql_where=not_deleted(Endpoint),
    postgresql_include=["project_id"],
)
Index("ix_endpoint_cluster_id", Endpoint.cluster_id, postgresql_where=not_deleted(Endpoint))
Index("ix_endpoint_created_by", Endpoint.created_by, postgresql_where=not_deleted(Endpoint))
Index("ix_endpoint_model_id", Endpoint.model_id, postgresql_where=not_deleted(Endpoint))
Index("ix_endpoint_credential_id", Endpoint.credential_id, postgresql_where=not_deleted(Endpoint))
Index(
    "ix_endpoint_published",
    Endpoint.tenant_id,
    Endpoint.published_date,
    postgresql_where=literal_column("is_published"),
)
