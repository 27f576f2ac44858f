from collections import defaultdict
from collections.abc import Collection
from typing import Any
from uuid import UUID

from sqlalchemy import Select, select

from budapp.commons.crud import Crud, Page, prepared
from budapp.commons.database import ReadSession
from budapp.commons.paging import equal, matching
from budapp.commons.scopes import Scope
from budapp.project_ops.services import projects_holding
from budapp.router_ops.models import Router, RouterEndpoint
from budapp.router_ops.schemas import RouterQuery

_COLUMNS = (Router.id, Router.project_id, Router.name, Router.description, Router.tags, Router.routing_strategy)
SORTABLE = {name: getattr(Router, name) for name in ("id", "name", "created_at", "modified_at")}


class RouterCrud(Crud[Router]):
    """The routers of the projects in which the caller may view endpoints."""

    model = Router
    soft_deleted = False

    def reach(self) -> list[Any]:
        """Add the reach of the projects."""
        mine = projects_holding(self.session, self.caller, Scope.ENDPOINT_VIEW)
        return [*super().reach(), Router.project_id.in_(mine)]

    async def page_of_routers(self, query: RouterQuery) -> Page:
        """Return a page of the project's routers."""
        return await self.page(query, self._listed(query), SORTABLE)

    @prepared
    def _listed(self, query: RouterQuery) -> Select[Any]:
        columns = (*_COLUMNS, Router.created_at, Router.modified_at)
        filters = (*equal(query, project_id=Router.project_id), *matching(query, name=Router.name))
        return self.visible(*columns).where(*filters)


async def targets_of(session: ReadSession, router_ids: Collection[UUID]) -> dict[UUID, list[RouterEndpoint]]:
    """Return the endpoints of routers that have been found in reach, in their order."""
    theirs = select(RouterEndpoint).where(RouterEndpoint.router_id.in_(router_ids))
    found: dict[UUID, list[RouterEndpoint]] = defaultdict(list)
    for target in await session.scalars(theirs.order_by(RouterEndpoint.router_id, RouterEndpoint.position)):
        found[target.router_id].append(target)
    return found
