"""Endpoints as people reach them."""

from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, and_, bindparam

from budapp.cluster_ops.models import Cluster
from budapp.commons.crud import Crud, Page, prepared
from budapp.commons.errors import NotFound
from budapp.commons.paging import equal, matching
from budapp.commons.scopes import Scope
from budapp.endpoint_ops.columns import SORTABLE, endpoint_columns
from budapp.endpoint_ops.models import Endpoint
from budapp.endpoint_ops.schemas import EndpointQuery
from budapp.model_ops.models import Model
from budapp.project_ops.models import Project
from budapp.project_ops.services import projects_holding
from budapp.provider_ops.models import Provider


class EndpointCrud(Crud[Endpoint]):
    """The endpoints of the projects in which the caller may view endpoints."""

    model = Endpoint

    def reach(self) -> list[Any]:
        """Add the reach of the projects."""
        mine = projects_holding(self.session, self.caller, Scope.ENDPOINT_VIEW)
        return [*super().reach(), Endpoint.project_id.in_(mine)]

    async def page_of_endpoints(self, query: EndpointQuery) -> Page:
        """Return a page of `endpoint_columns`."""
        return await self.page(query, self._listed(query), SORTABLE)

    @prepared
    def _listed(self, query: EndpointQuery) -> Select[Any]:
        same = equal(query, project_id=Endpoint.project_id, status=Endpoint.status, is_published=Endpoint.is_published)
        return _with_all(self.visible(*endpoint_columns())).where(*same, *matching(query, name=Endpoint.name))

    async def detail(self, endpoint_id: UUID) -> Row[Any]:
        """Return `endpoint_columns` of one endpoint, and how it was deployed; or raise `NotFound`."""
        found = await self._detail().first(self.session, id=endpoint_id)
        if found is None:
            raise NotFound("Endpoint not found")
        return found

    @prepared
    def _detail(self) -> Select[Any]:
        columns = (*endpoint_columns(), Endpoint.model_id, Endpoint.deployment_config, Endpoint.node_list)
        return _with_all(self.visible(*columns)).where(Endpoint.id == bindparam("id"))


def _with_all(statement: Select[Any]) -> Select[Any]:
    """Join what stands beside endpoints; by outer joins, which the count of all rows does without."""
    return (
        statement.outerjoin(Project, Project.id == Endpoint.project_id)
        .outerjoin(Model, and_(Model.id == Endpoint.model_id, Model.tenant_id == Endpoint.tenant_id))
        .outerjoin(Provider, Provider.id == Model.provider_id)
        .outerjoin(Cluster, Cluster.id == Endpoint.cluster_id)
    )
