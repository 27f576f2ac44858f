from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, and_, case, func, select
from sqlalchemy.dialects.postgresql import array

from budapp.cluster_ops.models import Cluster
from budapp.commons.crud import Crud, Page
from budapp.commons.database import ReadSession, not_deleted
from budapp.commons.paging import equal, matching
from budapp.endpoint_ops.models import Endpoint
from budapp.endpoint_ops.schemas import ProjectClusterQuery
from budapp.model_ops.models import Model, same_text
from budapp.provider_ops.models import CloudModel

HARDWARE = {"CPU": Cluster.cpu_count, "GPU": Cluster.gpu_count, "HPU": Cluster.hpu_count}


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
        statement = self.visible(*columns.values(), _hardware().label("hardware_type"))
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


def _hardware() -> ColumnElement[Any]:
    """Return the kinds of processors that the cluster has, as a list."""
    kinds: list[ColumnElement[Any]] = [case((count > 0, kind)) for kind, count in HARDWARE.items()]
    return func.array_remove(array(kinds), None)


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


async def exist(session: ReadSession, *conditions: ColumnElement[bool]) -> bool:
    """Tell whether an endpoint meets the conditions."""
    return await session.scalar(select(Endpoint.id).where(not_deleted(Endpoint), *conditions).limit(1)) is not None


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
