from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, func, literal_column
from sqlalchemy.orm import Mapped, mapped_column

from budapp.commons.announcing import Announced, columns
from budapp.commons.auditing import Audited, NotAudited
from budapp.commons.database import Base, TenantOwned, not_deleted
from budapp.commons.encrypted_columns import sealed
from budapp.commons.scopes import Scope


class ClusterStatus(StrEnum):
    AVAILABLE = "available"
    NOT_AVAILABLE = "not_available"
    ERROR = "error"
    DELETING = "deleting"
    DELETED = "deleted"


class ClusterType(StrEnum):
    ON_PREM = "ON_PREM"
    CLOUD = "CLOUD"


class Cluster(TenantOwned, Base):
    """Machines that deployments run on; budcluster knows it by `cluster_id`.

    `status_sync_at` is the time of the newest status that budcluster reported, by its clock.
    """

    __tablename__ = "cluster"
    audited = Audited("cluster", name="name", ignored=("status_sync_at",))
    announced = Announced(
        "cluster",
        made="cluster.status",
        changed={"cluster.status": ("status",)},
        shows=columns("name", "status", "reason"),
        scope=Scope.CLUSTER_VIEW,
    )
    __table_args__ = (
        CheckConstraint("status in ('available', 'not_available', 'error', 'deleting', 'deleted')", name="status"),
        CheckConstraint("cluster_type in ('ON_PREM', 'CLOUD')", name="cluster_type"),
    )

    name: Mapped[str]
    icon: Mapped[str]
    ingress_url: Mapped[str | None]
    cluster_type: Mapped[str] = mapped_column(default=ClusterType.ON_PREM)
    cluster_id: Mapped[UUID | None]
    status: Mapped[str]
    status_sync_at: Mapped[datetime | None]
    reason: Mapped[str | None]
    deleting_since: Mapped[datetime | None]
    cpu_count: Mapped[int] = mapped_column(default=0)
    gpu_count: Mapped[int] = mapped_column(default=0)
    hpu_count: Mapped[int] = mapped_column(default=0)
    cpu_total_workers: Mapped[int] = mapped_column(default=0)
    cpu_available_workers: Mapped[int] = mapped_column(default=0)
    gpu_total_workers: Mapped[int] = mapped_column(default=0)
    gpu_available_workers: Mapped[int] = mapped_column(default=0)
    hpu_total_workers: Mapped[int] = mapped_column(default=0)
    hpu_available_workers: Mapped[int] = mapped_column(default=0)
    total_nodes: Mapped[int] = mapped_column(default=0)
    available_nodes: Mapped[int] = mapped_column(default=0)
    cloud_provider_id: Mapped[UUID | None]
    credential_id: Mapped[UUID | None]
    region: Mapped[str | None]
    created_by: Mapped[UUID] = mapped_column(ForeignKey("user.id"))


Index("ix_cluster_tenant_id_created_at", Cluster.tenant_id, Cluster.created_at.desc(), Cluster.id.desc())
Index(
    "uq_cluster_name",
    Cluster.tenant_id,
    func.lower(Cluster.name),
    unique=True,
    postgresql_where=not_deleted(Cluster),
)
Index("uq_cluster_cluster_id", Cluster.cluster_id, unique=True, postgresql_where=not_deleted(Cluster))
Index(
    "ix_cluster_silent",
    func.coalesce(Cluster.status_sync_at, Cluster.created_at),
    postgresql_where=literal_column("status in ('available', 'deleting')"),
)


class Kubeconfig(TenantOwned, Base):
    """How to reach a cluster that is being onboarded, until budcluster has it or the workflow ends."""

    __tablename__ = "cluster_kubeconfig"
    audited = NotAudited("a secret that waits for a moment; the cluster that comes of it leaves an entry")

    workflow_id: Mapped[UUID] = mapped_column(ForeignKey("workflow.id", ondelete="CASCADE"), unique=True)
    content_encrypted: Mapped[str] = sealed("cluster_kubeconfig:{workflow_id}")
