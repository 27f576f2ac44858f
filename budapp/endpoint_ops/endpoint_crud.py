"""Endpoints as people reach them."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, bindparam, func

from budapp.commons.access import Caller
from budapp.commons.crud import Crud, Page, prepared
from budapp.commons.database import ReadSession
from budapp.commons.errors import NotFound
from budapp.commons.paging import Paging, equal, matching
from budapp.commons.scopes import Scope
from budapp.endpoint_ops.columns import SORTABLE, endpoint_columns
from budapp.endpoint_ops.models import Endpoint, EndpointHealth
from budapp.endpoint_ops.schemas import EndpointQuery
from budapp.project_ops.services import projects_holding

HEALTH_SORTABLE = {name: getattr(EndpointHealth, name) for name in ("id", "created_at", "since")}


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
        return self.visible(*endpoint_columns()).where(*same, *matching(query, name=Endpoint.name))

    async def of_ids(self, ids: Collection[UUID]) -> list[Endpoint]:
        """Return those of the endpoints that are in reach."""
        return list(await self.session.scalars(self.visible().where(Endpoint.id.in_(ids))))

    async def named(self, name: str) -> Endpoint | None:
        """Return the endpoint of the name, whatever the case, if it is in reach."""
        found: Endpoint | None = await self.session.scalar(
            self.visible().where(func.lower(Endpoint.name) == name.lower())
        )
        return found

    async def detail(self, endpoint_id: UUID) -> Row[Any]:
        """Return `endpoint_columns` of one endpoint, and how it was deployed; or raise `NotFound`."""
        found = await self._detail().first(self.session, id=endpoint_id)
        if found is None:
            raise NotFound("Endpoint not found")
        return found

    @prepared
    def _detail(self) -> Select[Any]:
        columns = (*endpoint_columns(), Endpoint.model_id, Endpoint.deployment_config, Endpoint.node_list)
        return self.visible(*columns).where(Endpoint.id == bindparam("id"))


class HealthCrud(Crud[EndpointHealth]):
    """What one endpoint was, which the caller has been found to reach."""

    model = EndpointHealth
    soft_deleted = False

    def __init__(self, session: ReadSession, caller: Caller, endpoint_id: UUID) -> None:
        super().__init__(session, caller)
        self.endpoint_id = endpoint_id

    def reach(self) -> list[Any]:
        """Add that it is the endpoint's;."""
        return [*super().reach(), EndpointHealth.endpoint_id == self.endpoint_id]

    async def history(self, paging: Paging) -> Page:
        """Return a page of `HealthEntry` columns, the newest first."""
        columns = (EndpointHealth.status.label("state"), EndpointHealth.since, EndpointHealth.reason)
        found = self.visible(EndpointHealth.id, EndpointHealth.created_at, *columns)
        return await self.page(paging, found, HEALTH_SORTABLE)
