"""The OpenAPI document and the pages that show it, which need nothing from the internet."""

import json
from functools import partial
from pathlib import Path
from typing import Literal

import fastapi_offline
from fastapi import APIRouter, Request, Response
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html, get_swagger_ui_oauth2_redirect_html
from fastapi.responses import FileResponse, HTMLResponse

from budapp.commons.access import public

router = APIRouter(tags=["operations"], dependencies=[public], include_in_schema=False)

page = partial(router.api_route, methods=["GET", "HEAD"])

_ASSETS = Path(fastapi_offline.__file__).parent / "static"
_A_DAY = {"Cache-Control": "public, max-age=86400"}

# Addresses in the pages are relative, so that they hold under /v1 and behind a proxy's prefix too.


@page("/openapi.json")
def document(request: Request) -> Response:  # in a thread: the first time it takes seconds
    """Return the OpenAPI document."""
    return Response(json.dumps(request.app.openapi(), ensure_ascii=False), media_type="application/json")


@page("/docs")
async def swagger_ui(request: Request) -> HTMLResponse:
    """Show the document in Swagger UI, where each call can be tried."""
    return get_swagger_ui_html(
        openapi_url="openapi.json",
        title=f"{request.app.title} - API",
        oauth2_redirect_url="docs/oauth2-redirect",
        swagger_js_url="docs/assets/swagger-ui-bundle.js",
        swagger_css_url="docs/assets/swagger-ui.css",
        swagger_favicon_url="docs/assets/favicon.png",
        swagger_ui_parameters={"docExpansion": "none", "filter": True},
    )


@page("/docs/oauth2-redirect")
async def oauth2_redirect() -> HTMLResponse:
    """Finish a sign-in that Swagger UI began."""
    return get_swagger_ui_oauth2_redirect_html()


@page("/redoc")
async def redoc(request: Request) -> HTMLResponse:
    """Show the document in ReDoc, for reading."""
    return get_redoc_html(
        openapi_url="openapi.json",
        title=f"{request.app.title} - API",
        redoc_js_url="docs/assets/redoc.standalone.js",
        redoc_favicon_url="docs/assets/favicon.png",
        with_google_fonts=False,
    )


@page("/docs/assets/{name}")
async def asset(
    name: Literal["swagger-ui-bundle.js", "swagger-ui.css", "redoc.standalone.js", "favicon.png"],
) -> FileResponse:
    """Return a file that the pages need."""
    return FileResponse(_ASSETS / name, headers=_A_DAY)
