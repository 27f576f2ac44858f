"""Routers: several endpoints of a project under one name, of which the gateway takes the first that answers."""

from uuid import UUID

from budapp.commons.access import Caller
from budapp.commons.database import ReadSession, WriteSession
from budapp.commons.errors import BadRequest, Conflict, NotFound
from budapp.commons.integrity import conflict_on
from budapp.commons.scopes import Scope
from budapp.endpoint_ops import lifecycle
from budapp.endpoint_ops.services import endpoints_of_ids
from budapp.project_ops.services import RequiresInProject
from budapp.router_ops import crud
from budapp.router_ops.crud import RouterCrud
from budapp.router_ops.models import Router, RouterEndpoint
from budapp.router_ops.schemas import RouterInput, RouterList, RouterQuery, RouterView


async def _project_of(session: ReadSession, caller: Caller, router_id: UUID) -> UUID:
    return (await RouterCrud(session, caller).get(router_id)).project_id


IN_PROJECT = RequiresInProject(Scope.ENDPOINT_MANAGE)
"""What looking at a project's routers, and adding one, asks for."""
CHANGING = RequiresInProject(Scope.ENDPOINT_MANAGE, project_of=_project_of)
"""What changing a router asks for, in its project."""


async def list_routers(session: ReadSession, caller: Caller, query: RouterQuery) -> RouterList:
    """Return a page of the project's routers, the newest first.

    Raises:
        NotFound: no such project, or out of reach.
        Forbidden: the caller lacks endpoint:manage there.
    """
    await IN_PROJECT.check(session, caller, query.project_id)
    page = await RouterCrud(session, caller).page_of_routers(query)
    targets = await crud.targets_of(session, [row.id for row in page.rows]) if page.rows else {}
    routers = [RouterView.of(row, targets.get(row.id, [])) for row in page.rows]
    return RouterList(routers=routers, **page.envelope())


async def create_router(session: WriteSession, caller: Caller, data: RouterInput) -> RouterView:
    """Make a router.

    Raises:
        NotFound: no such project or endpoint, or out of reach.
        Forbidden: the caller lacks endpoint:manage in the project.
        BadRequest: an endpoint is of another project.
        Conflict: the project has a router of this name, or the tenant an endpoint.
    """
    await IN_PROJECT.check(session, caller, data.project_id, lock="share")
    await _check_endpoints(session, caller, data)
    await lifecycle.check_name_free(session, caller.tenant_id, data.name, param="name")
    router = Router(tenant_id=caller.tenant_id, project_id=data.project_id, created_by=caller.user_id)
    session.add(router)
    return await _write(session, router, data)


async def update_router(session: WriteSession, caller: Caller, router_id: UUID, data: RouterInput) -> RouterView:
    """Make a router what is said; its project stays.

    Raises:
        NotFound, Forbidden, BadRequest, Conflict: see `create_router`.
    """
    router = await _changeable(session, caller, router_id)
    if data.project_id != router.project_id:
        await IN_PROJECT.check(session, caller, data.project_id)
        raise BadRequest("A router can't be moved to another project; create one there", param="project_id")
    await _check_endpoints(session, caller, data)
    if data.name != router.name:
        await lifecycle.check_name_free(session, caller.tenant_id, data.name, param="name")
    return await _write(session, router, data)


async def delete_router(session: WriteSession, caller: Caller, router_id: UUID) -> None:
    """Delete a router; its endpoints stay.

    Raises:
        NotFound, Forbidden: see `create_router`.
    """
    router = await _changeable(session, caller, router_id)
    for target in (await crud.targets_of(session, [router_id])).get(router_id, []):
        await session.delete(target)
    await session.flush()
    await session.delete(router)


async def _changeable(session: WriteSession, caller: Caller, router_id: UUID) -> Router:
    router = await RouterCrud(session, caller).get(router_id, for_update=True)
    await CHANGING.check(session, caller, router.project_id)
    return router


async def _check_endpoints(session: WriteSession, caller: Caller, data: RouterInput) -> None:
    named = data.endpoint_ids()
    found = {endpoint.id: endpoint for endpoint in await endpoints_of_ids(session, caller, named)}
    missing = [str(endpoint_id) for endpoint_id in named if endpoint_id not in found]
    if missing:
        raise NotFound(f"Endpoints not found: {', '.join(missing)}", param="endpoints")
    foreign = [endpoint.name for endpoint in found.values() if endpoint.project_id != data.project_id]
    if foreign:
        raise BadRequest(f"In another project: {', '.join(sorted(foreign))}", param="endpoints")


async def _write(session: WriteSession, router: Router, data: RouterInput) -> RouterView:
    for name, value in data.model_dump(mode="json", exclude={"project_id", "endpoints"}).items():
        setattr(router, name, value)
    with conflict_on("uq_router_project_id_name", Conflict("Router already exists with the same name", param="name")):
        await session.flush()
    before = {one.endpoint_id: one for one in (await crud.targets_of(session, [router.id])).get(router.id, [])}
    targets = []
    for position, said in enumerate(data.endpoints):
        target = before.pop(said.endpoint_id, None)
        if target is None:
            target = RouterEndpoint(tenant_id=router.tenant_id, router_id=router.id, endpoint_id=said.endpoint_id)
            session.add(target)
        target.position = position
        for name, value in said.model_dump(exclude={"endpoint_id"}).items():
            setattr(target, name, value)
        targets.append(target)
    for gone in before.values():
        await session.delete(gone)
    await session.flush()
    return RouterView.of(router, targets)
