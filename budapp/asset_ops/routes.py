from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from budapp.asset_ops import services
from budapp.asset_ops.icons import STATIC
from budapp.asset_ops.schemas import IconList, IconQuery
from budapp.commons.access import Public, SignedIn
from budapp.commons.database import Read
from budapp.commons.errors import NotFound

router = APIRouter(tags=["assets"])

_files = StaticFiles(directory=STATIC)
# A picture opened by itself must not run what somebody hid in it.
_HEADERS = {
    "cache-control": "public, max-age=86400",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
    "cross-origin-resource-policy": "cross-origin",
}


@router.get("/icons")
async def list_icons(_caller: SignedIn, session: Read, query: Annotated[IconQuery, Query()]) -> IconList:
    """List the built-in icons."""
    return IconList.of(await services.list_icons(session, query))


@router.get("/static/{path:path}", dependencies=[Depends(Public())], response_class=Response)
async def get_static_file(path: str, request: Request) -> Response:
    """Return a built-in icon; browsers may cache it for a day."""
    try:
        found = await _files.get_response(path, request.scope)
    except (HTTPException, ValueError) as error:
        raise NotFound("File not found") from error
    found.headers.update(_HEADERS)
    return found
