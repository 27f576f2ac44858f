from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    String,
    and_,
    bindparam,
    cast,
    delete,
    func,
    literal_column,
    or_,
    select,
)

from budapp.cluster_ops import hooks
from budapp.cluster_ops.columns import HARDWARE, hardware
from budapp.cluster_ops.models import Cluster, ClusterStatus, Kubeconfig
from budapp.cluster_ops.schemas import ClusterQuery
from budapp.commons.crud import Crud, Page, prepared
from budapp.commons.database import ReadSession, WriteSession, not_deleted
from budapp.commons.errors import NotFound
from budapp.commons.paging import equal, matching

COUNTS = tuple(
    f"{kind}_{of}" for kind in ("cpu", "gpu", "hpu") for of in ("count", "total_workers", "available_workers")
)
_PLAIN = (
    *("id", "cluster_id", "name", "icon", "ingress_url", "cluster_type", "status", "reason", "status_sync_at"),
    *("created_at", "modified_at", "region", "cloud_provider_id", "total_nodes", "available_nodes", *COUNTS),
)
_SORTABLE = ("id", "name", "status", "created_at", "modified_at", "cluster_type", "total_nodes", "available_nodes")


class ClusterCrud(Crud[Cluster]):
    """The tenant's clusters."""

    model = Cluster

    async def page_of_clusters(self, query: ClusterQuery) -> Page:
        """Return a page of clusters, as `ClusterView` columns."""
        sortable = {**{name: getattr(Cluster, name) for name in (*_SORTABLE, *COUNTS)}, **self._usage()}
        return await self.page(query, self._listed(query), sortable)

    async def view(self, id: UUID) -> Row[Any]:
        """Return one cluster, as `ClusterView` columns, or raise `NotFound`."""
        found = await self._one().first(self.session, id=id)
        if found is None:
            raise NotFound("Cluster not found")
        return found

    @prepared
    def _listed(self, query: ClusterQuery) -> Select[Any]:
        return self.visible(*self._columns()).where(
            *equal(query, status=Cluster.status, cluster_type=Cluster.cluster_type),
            *matching(query, name=Cluster.name),
            *_has_one_of(query.hardware_type),
        )

    @prepared
    def _one(self) -> Select[Any]:
        return self.visible(*self._columns()).where(Cluster.id == bindparam("id"))

    def _columns(self) -> list[Any]:
        plain = [getattr(Cluster, name) for name in _PLAIN]
        return [*plain, hardware().label("hardware_type"), *(use.label(name) for name, use in self._usage().items())]

    def _usage(self) -> dict[str, ColumnElement[int]]:
        return dict(self.hooks.one(hooks.usage)(Cluster.id))


def _has_one_of(kinds: Any) -> list[ColumnElement[bool]]:
    """Return the condition that the cluster has one of the kinds of processors, or of the parameters for them."""
    if not kinds:
        return []
    named = [cast(kind, String) for kind in kinds]
    pairs = [(one, kind, count) for one in named for kind, count in HARDWARE.items()]
    there = [and_(one == literal_column(f"'{kind}'"), count > literal_column("0")) for one, kind, count in pairs]
    return [or_(*there)]


async def find_clusters(session: ReadSession, tenant_id: UUID, bud_cluster_ids: Collection[UUID]) -> list[Cluster]:
    """Return the tenant's clusters that budcluster knows by one of the ids, and that are not deleted."""
    mine = (Cluster.tenant_id == tenant_id, not_deleted(Cluster))
    return list(await session.scalars(select(Cluster).where(*mine, Cluster.cluster_id.in_(bud_cluster_ids))))


async def find_cluster(session: ReadSession, tenant_id: UUID, id: UUID) -> Cluster | None:
    """Return the tenant's cluster, deleted or not."""
    found: Cluster | None = await session.scalar(
        select(Cluster).where(Cluster.tenant_id == tenant_id, Cluster.id == id)
    )
    return found


async def name_is_taken(session: ReadSession, tenant_id: UUID, name: str) -> bool:
    """Tell whether a cluster of the tenant has the name, whatever the case."""
    same = func.lower(Cluster.name) == func.lower(name)
    taken = select(Cluster.id).where(Cluster.tenant_id == tenant_id, same, not_deleted(Cluster)).limit(1)
    return await session.scalar(taken) is not None


async def lock(session: WriteSession, tenant_id: UUID, id: UUID) -> Cluster | None:
    """Return the tenant's cluster, locked, deleted or not."""
    statement = select(Cluster).where(Cluster.tenant_id == tenant_id, Cluster.id == id).with_for_update()
    found: Cluster | None = await session.scalar(statement.execution_options(populate_existing=True))
    return found


async def lock_reported(session: WriteSession, bud_cluster_id: UUID) -> Cluster | None:
    """Return the cluster that budcluster knows by the id, of whichever tenant, locked."""
    found: Cluster | None = await session.scalar(
        select(Cluster).where(Cluster.cluster_id == bud_cluster_id, not_deleted(Cluster)).with_for_update()
    )
    return found


async def lock_silent(
    session: WriteSession, before: datetime, deleting_before: datetime, limit: int
) -> Sequence[Cluster]:
    """Return clusters of all tenants not reported since, or that are being deleted for longer, locked."""
    available = Cluster.status == literal_column(f"'{ClusterStatus.AVAILABLE}'")
    deleting = Cluster.status == literal_column(f"'{ClusterStatus.DELETING}'")
    silent = func.coalesce(Cluster.status_sync_at, Cluster.created_at) <= before
    statement = select(Cluster).where(
        or_(available & Cluster.cluster_id.is_not(None) & silent, deleting & (Cluster.deleting_since < deleting_before))
    )
    return (await session.scalars(statement.limit(limit).with_for_update(skip_locked=True))).all()


async def kubeconfig_of(session: ReadSession, workflow_id: UUID) -> Kubeconfig | None:
    """Return the kubeconfig that waits with a workflow."""
    found: Kubeconfig | None = await session.scalar(select(Kubeconfig).where(Kubeconfig.workflow_id == workflow_id))
    return found


async def remove_kubeconfig(session: WriteSession, workflow_id: UUID) -> None:
    """Remove the kubeconfig that waits with a workflow, if any."""
    await session.execute(delete(Kubeconfig).where(Kubeconfig.workflow_id == workflow_id))
