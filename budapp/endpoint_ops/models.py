from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, ForeignKey, Index, String, event, func, inspect, literal_column
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from budapp.commons.announcing import Announced, columns
from budapp.commons.auditing import Audited, NotAudited
from budapp.commons.database import Base, TenantOwned, not_deleted, now
from budapp.commons.feeding import FeedsGateway
from budapp.commons.scopes import Scope

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


_TOLD = ("status_sync_at", "active_replicas", "total_replicas", "number_of_nodes", "node_list")
"""What budcluster tells every few minutes."""


class Endpoint(TenantOwned, Base):
    """A model deployed in a project; without a cluster where a provider's cloud runs it."""

    __tablename__ = "endpoint"
    audited = Audited("endpoint", name="name", ignored=_TOLD)
    feeds_gateway = FeedsGateway(
        {"endpoint": ("id",), "project": ("project_id",), "catalog": ("tenant_id",)}, when=GATEWAY_COLUMNS
    )
    announced = Announced(
        "endpoint",
        made="endpoint.status",
        changed={"endpoint.status": ("status",)},
        shows=columns("name", "status", "reason", "project_id", "model_id", "cluster_id"),
        project="project_id",
        scope=Scope.ENDPOINT_VIEW,
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
    reason: Mapped[str | None]
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


class EndpointHealth(TenantOwned, Base):
    """What an endpoint was from a moment on, and why; the newest entry is what it is."""

    __tablename__ = "endpoint_health"
    audited = NotAudited("a history itself; the change of the endpoint is in the trail")

    endpoint_id: Mapped[UUID] = mapped_column(ForeignKey("endpoint.id", ondelete="CASCADE"))
    status: Mapped[str]
    reason: Mapped[str | None]
    since: Mapped[datetime]
    endpoint: Mapped[Endpoint] = relationship(lazy="raise")


Index(
    "ix_endpoint_health_endpoint_id_created_at",
    EndpointHealth.endpoint_id,
    EndpointHealth.created_at.desc(),
    EndpointHealth.id.desc(),
)
Index(
    "ix_endpoint_bud_cluster_id_namespace",
    Endpoint.bud_cluster_id,
    Endpoint.namespace,
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


def _has_changed(endpoint: Endpoint, name: str) -> bool:
    return bool(inspect(endpoint).attrs[name].history.has_changes())


def _entry(endpoint: Endpoint, since: datetime) -> EndpointHealth:
    about = {"status": endpoint.status, "reason": endpoint.reason, "since": since}
    return EndpointHealth(tenant_id=endpoint.tenant_id, endpoint=endpoint, **about)


@event.listens_for(Session, "before_flush")
def _keep_history(session: Session, _context: object, _instances: object) -> None:
    """Add an entry where a status or a reason changes; a reason goes with the status that it was given for."""
    for endpoint in [row for row in (*session.new, *session.dirty) if isinstance(row, Endpoint)]:
        is_new, status = endpoint in session.new, _has_changed(endpoint, "status")
        if status and not is_new and not _has_changed(endpoint, "reason"):
            endpoint.reason = None
        if is_new or status or _has_changed(endpoint, "reason"):
            reported_at = endpoint.status_sync_at if _has_changed(endpoint, "status_sync_at") else None
            session.add(_entry(endpoint, reported_at or now()))
