from typing import Any

from sqlalchemy import Select, bindparam

from budapp.cluster_endpoint_ops.schemas import ClusterEndpointQuery
from budapp.commons.crud import Crud, Page, prepared
from budapp.commons.paging import equal, matching
from budapp.endpoint_ops.models import Endpoint
from budapp.model_ops.models import Model
from budapp.project_ops.models import Project

_SORTABLE: dict[str, Any] = {
    **{name: getattr(Endpoint, name) for name in ("id", "name", "status", "created_at", "modified_at")},
    "active_workers": Endpoint.active_replicas.label("active_workers"),
    "total_workers": Endpoint.total_replicas.label("total_workers"),
}


class ClusterEndpointCrud(Crud[Endpoint]):
    """The deployments of the tenant on one cluster."""

    model = Endpoint

    async def page_of_cluster(self, query: ClusterEndpointQuery, cluster_id: Any) -> Page:
        """Return a page of deployments, with the columns of their projects and models."""
        return await self.page(query, self._listed(query).given(cluster_id=cluster_id), _sortable())

    @prepared
    def _listed(self, query: ClusterEndpointQuery) -> Select[Any]:
        project = {name: getattr(Project, name).label(f"project_{name}") for name in ("id", "name", "icon")}
        names = ("name", "icon", "modality", "uri", "provider_type", "source")
        model = {name: getattr(Model, name).label(f"model_{name}") for name in names}
        statement = self.visible(*_SORTABLE.values(), Endpoint.model_id, *project.values(), *model.values())
        statement = statement.join(Project, Project.id == Endpoint.project_id)
        statement = statement.join(Model, Model.id == Endpoint.model_id, isouter=True)
        return statement.where(
            Endpoint.cluster_id == bindparam("cluster_id"),
            *equal(query, status=Endpoint.status),
            *matching(query, name=Endpoint.name),
        )


def _sortable() -> dict[str, Any]:
    return {**_SORTABLE, "active_workers": Endpoint.active_replicas, "total_workers": Endpoint.total_replicas}
