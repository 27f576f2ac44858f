from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from budapp.commons.access import Caller
from budapp.commons.database import Read, Write
from budapp.commons.idempotency import IdempotentRoute
from budapp.router_ops import services
from budapp.router_ops.schemas import RouterCreated, RouterDeleted, RouterInput, RouterList, RouterQuery, RouterUpdated
from budapp.router_ops.services import CHANGING, IN_PROJECT

router = APIRouter(prefix="/routers", tags=["routers"], route_class=IdempotentRoute)

Manager = Annotated[Caller, Depends(IN_PROJECT)]
Changer = Annotated[Caller, Depends(CHANGING)]


@router.get("/")
async def list_routers(caller: Manager, session: Read, query: Annotated[RouterQuery, Query()]) -> RouterList:
    """List the routers of a project, the newest first."""
    return await services.list_routers(session, caller, query)


@router.post("/", status_code=201)
async def create_router(data: RouterInput, caller: Manager, session: Write) -> RouterCreated:
    """Create a router: endpoints of a project that take requests under one name."""
    return RouterCreated(result=await services.create_router(session, caller, data))


@router.put("/{router_id}")
async def update_router(router_id: UUID, data: RouterInput, caller: Changer, session: Write) -> RouterUpdated:
    """Replace what a router says, its endpoints too."""
    return RouterUpdated(result=await services.update_router(session, caller, router_id, data))


@router.delete("/{router_id}")
async def delete_router(router_id: UUID, caller: Changer, session: Write) -> RouterDeleted:
    """Delete a router; its endpoints stay."""
    await services.delete_router(session, caller, router_id)
    return RouterDeleted()
