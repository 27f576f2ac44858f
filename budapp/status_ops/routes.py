from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import HTMLResponse

from budapp.commons.access import Caller, Requires
from budapp.commons.domain import provided
from budapp.commons.scopes import Scope
from budapp.status_ops.page import render
from budapp.status_ops.services import StatusPage

router = APIRouter(tags=["operations"])

Operator = Annotated[Caller, Depends(Requires(Scope.TENANT_MANAGE))]


@router.get("/status", response_class=HTMLResponse)
async def show_status(_caller: Operator, page: Annotated[StatusPage, provided(StatusPage)]) -> HTMLResponse:
    """Show how the service is, as a page; for super administrators of the platform's own tenant."""
    return HTMLResponse(render(await page.look()), headers={"Cache-Control": "no-store"})
