"""The OpenAPI document and the pages that show it, which need nothing from the internet; they are for everyone."""

import json
from pathlib import Path

import fastapi_offline
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html, get_swagger_ui_oauth2_redirect_html
from fastapi.responses import FileResponse, HTMLResponse
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from budapp.commons.errors import NotFound

_FOLDER = Path(fastapi_offline.__file__).parent / "static"
_ASSETS = {name: _FOLDER / name for name in ("swagger-ui-bundle.js", "swagger-ui.css", "redoc.standalone.js")}
_ICON = "data:,"
_A_DAY = {"Cache-Control": "public, max-age=86400"}

# Addresses in the pages are relative, so that they hold under /v1 and behind a proxy's prefix too.


def _document(request: Request) -> Response:  # in a thread: the first time it takes seconds
    return Response(json.dumps(request.app.openapi(), ensure_ascii=False), media_type="application/json")


async def _swagger_ui(request: Request) -> HTMLResponse:
    return get_swagger_ui_html(
        openapi_url="openapi.json",
        title=f"{request.app.title} - API",
        oauth2_redirect_url="docs/oauth2-redirect",
        swagger_js_url="docs/assets/swagger-ui-bundle.js",
        swagger_css_url="docs/assets/swagger-ui.css",
        swagger_favicon_url=_ICON,
        swagger_ui_parameters={"docExpansion": "none", "filter": True},
    )


async def _oauth2_redirect(_request: Request) -> HTMLResponse:
    return get_swagger_ui_oauth2_redirect_html()


async def _redoc(request: Request) -> HTMLResponse:
    return get_redoc_html(
        openapi_url="openapi.json",
        title=f"{request.app.title} - API",
        redoc_js_url="docs/assets/redoc.standalone.js",
        redoc_favicon_url=_ICON,
        with_google_fonts=False,
    )


async def _asset(request: Request) -> FileResponse:
    file = _ASSETS.get(request.path_params["name"])
    if file is None:
        raise NotFound
    return FileResponse(file, headers=_A_DAY)


ROUTES = [
    Route("/openapi.json", _document),
    Route("/docs", _swagger_ui),
    Route("/docs/oauth2-redirect", _oauth2_redirect),
    Route("/redoc", _redoc),
    Route("/docs/assets/{name}", _asset),
]
