from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, and_, func, literal_column, select

from budapp.cluster_ops.columns import hardware
from budapp.cluster_ops.models import Cluster
from budapp.commons.crud import Crud, Page
from budapp.commons.database import ReadSession, WriteSession, not_deleted
from budapp.commons.paging import equal, matching
from budapp.endpoint_ops.models import Endpoint, EndpointStatus
from budapp.endpoint_ops.schemas import ProjectClusterQuery
from budapp.model_ops.models import Model, same_text
from budapp.provider_ops.models import CloudModel


class ProjectClusterCrud(Crud[Cluster]):
    """Clusters, as the deployments of a project use them."""

    model = Cluster

    async def page_of_project(self, project_id: UUID, query: ProjectClusterQuery) -> Page:
        """Return a page of the clusters that the project's endpoints run on."""
        use = _use_of_clusters(project_id)
        columns = {
            **{name: getattr(Cluster, name) for name in ("id", "name", "status", "created_at", "modified_at")},
            **{name: use.c[name] for name in ("endpoint_count", "node_count", "worker_count")},
        }
        statement = self.visible(*columns.values(), hardware().label("hardware_type"))
        statement = statement.join(use, use.c.cluster_id == Cluster.id)
        statement = statement.where(*equal(query, status=Cluster.status), *matching(query, name=Cluster.name))
        return await self.page(query, statement, columns)


def _use_of_clusters(project_id: UUID) -> Any:
    of_project = (Endpoint.project_id == project_id, not_deleted(Endpoint), Endpoint.cluster_id.is_not(None))
    return (
        select(
            Endpoint.cluster_id,
            func.count().label("endpoint_count"),
            func.sum(Endpoint.number_of_nodes).label("node_count"),
            func.sum(Endpoint.total_replicas).label("worker_count"),
        )
        .where(*of_project)
        .group_by(Endpoint.cluster_id)
        .subquery()
    )


def count_in_project(project_id: Any) -> ColumnElement[int]:
    """Return the expression that counts a project's endpoints."""
    return (
        select(func.count())
        .select_from(Endpoint)
        .where(Endpoint.project_id == project_id, not_deleted(Endpoint))
        .scalar_subquery()
    )


def count_of_model(model_id: Any) -> ColumnElement[int]:
    """Return the expression that counts a model's endpoints."""
    return (
        select(func.count())
        .select_from(Endpoint)
        .where(Endpoint.model_id == model_id, not_deleted(Endpoint))
        .scalar_subquery()
    )


def use_of_cluster(cluster_id: Any) -> dict[str, ColumnElement[int]]:
    """Return the expressions that tell how much of a cluster its endpoints use."""
    running = Endpoint.status == literal_column(f"'{EndpointStatus.RUNNING}'")
    return {
        "endpoint_count": _on_cluster(cluster_id, func.count()),
        "running_endpoints_count": _on_cluster(cluster_id, func.count().filter(running)),
        "total_workers_count": _on_cluster(cluster_id, func.coalesce(func.sum(Endpoint.total_replicas), 0)),
        "active_workers_count": _on_cluster(cluster_id, func.coalesce(func.sum(Endpoint.active_replicas), 0)),
    }


def _on_cluster(cluster_id: Any, result: ColumnElement[int]) -> ColumnElement[int]:
    here = select(result).select_from(Endpoint).where(Endpoint.cluster_id == cluster_id, not_deleted(Endpoint))
    return here.scalar_subquery()


async def exist(session: ReadSession, *conditions: ColumnElement[bool]) -> bool:
    """Tell whether an endpoint meets the conditions."""
    return await session.scalar(select(Endpoint.id).where(not_deleted(Endpoint), *conditions).limit(1)) is not None


async def has_name(session: ReadSession, tenant_id: UUID, name: str) -> bool:
    """Tell whether an endpoint of the tenant has the name, whatever the case."""
    return await exist(session, Endpoint.tenant_id == tenant_id, func.lower(Endpoint.name) == name.lower())


async def out_of_step(session: ReadSession) -> Sequence[Row[Any]]:
    """Return endpoints, of any tenant, that are deprecated though a cloud offers their model, or not though not.

    Beside each `Endpoint` stands `offered`, whether one does. Models that were never in the catalog are left out.
    """
    offered = not_deleted(CloudModel)
    statement = (
        select(Endpoint, offered.label("offered"))
        .join(Model, Model.id == Endpoint.model_id)
        .join(CloudModel, and_(same_text(Model.uri, CloudModel.uri), CloudModel.source == Model.source))
        .where(not_deleted(Endpoint), Endpoint.is_deprecated == offered)
    )
    rows: Sequence[Any] = (await session.execute(statement)).all()
    return rows


async def lock_reported(session: WriteSession, bud_cluster_id: UUID, namespace: str) -> Endpoint | None:
    """Return the endpoint that budcluster runs there, of whichever tenant, locked."""
    there = (Endpoint.bud_cluster_id == bud_cluster_id, Endpoint.namespace == namespace, not_deleted(Endpoint))
    statement = select(Endpoint).where(*there).order_by(Endpoint.id.desc()).limit(1).with_for_update()
    found: Endpoint | None = await session.scalar(statement.execution_options(populate_existing=True))
    return found


async def find(session: ReadSession, tenant_id: UUID, endpoint_id: UUID) -> Endpoint | None:
    """Return the tenant's endpoint, whoever asks; None where it is deleted."""
    mine = (Endpoint.id == endpoint_id, Endpoint.tenant_id == tenant_id, not_deleted(Endpoint))
    found: Endpoint | None = await session.scalar(select(Endpoint).where(*mine))
    return found


async def lock(session: WriteSession, tenant_id: UUID, endpoint_id: UUID) -> Endpoint | None:
    """Return the same, locked until the commit."""
    mine = (Endpoint.id == endpoint_id, Endpoint.tenant_id == tenant_id, not_deleted(Endpoint))
    statement = select(Endpoint).where(*mine).with_for_update().execution_options(populate_existing=True)
    found: Endpoint | None = await session.scalar(statement)
    return found
