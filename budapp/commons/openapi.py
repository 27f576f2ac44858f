"""The OpenAPI document: what FastAPI derives, and what every route shares: versions, access, errors."""

from collections.abc import Iterable
from threading import Lock
from typing import Any

from fastapi import FastAPI
from fastapi.encoders import jsonable_encoder
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import BaseModel

from budapp.commons.access import Access, access_of, api_routes, takes_service_accounts
from budapp.commons.errors import ErrorBody

_building = Lock()
_REFERENCE = "#/components/schemas/{model}"
_MEANING = {
    400: "The request can't be carried out",
    401: "Authentication is missing or has expired",
    403: "Permission denied",
    404: "Not found, or not visible to the caller",
    409: "The request conflicts with an existing item",
    413: "The request body is too large",
    422: "The request is not valid",
    429: "Too many requests",
    502: "A service that budapp depends on failed",
    503: "A store or service that budapp depends on is down",
}


def _statuses(route: APIRoute, access: Access) -> list[int]:
    writes = route.methods != {"GET"}
    found = [422, 503]
    if access.kind in {"permission", "signed in"}:
        found += [401, 403]
    if access.kind == "internal":
        found += [403]
    if access.kind == "public":
        found += [429]
    if "{" in route.path:
        found += [404]
    if writes:
        found += [400, 409, 413, 502]
    return sorted(set(found))


def build_openapi(app: FastAPI, composed: Iterable[type[BaseModel]] = ()) -> dict[str, Any]:
    """Return the document; it is built once, whichever threads ask for it.

    Args:
        app: the application, with all its routes.
        composed: schemas put together at start, which take the place of those of the same name.
    """
    with _building:
        app.openapi_schema = app.openapi_schema or _build(app, composed)
        return app.openapi_schema


def _build(app: FastAPI, composed: Iterable[type[BaseModel]]) -> dict[str, Any]:
    document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    document["servers"] = [
        {"url": "/v1", "description": "Version 1"},
        {"url": "/", "description": "Version 1, for clients that name no version"},
    ]
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for schema in composed:
        found = schema.model_json_schema(ref_template=_REFERENCE, mode="serialization")
        body = jsonable_encoder(found, exclude_none=True)  # as FastAPI writes all others
        schemas |= body.pop("$defs", {}) | {schema.__name__: body}
    body = ErrorBody.model_json_schema(ref_template=_REFERENCE)
    schemas |= body.pop("$defs", {}) | {"ErrorBody": body}
    for obsolete in ("HTTPValidationError", "ValidationError"):
        schemas.pop(obsolete, None)
    components["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}
    for route in api_routes(app):
        if route.include_in_schema:
            _describe(document["paths"][route.path_format], route)
    return document


def _describe(path: dict[str, Any], route: APIRoute) -> None:
    access = access_of(route)
    if access is None:
        return
    content = {"application/problem+json": {"schema": {"$ref": _REFERENCE.format(model="ErrorBody")}}}
    for method in route.methods or ():
        operation = path[method.lower()]
        errors = {str(code): {"description": _MEANING[code], "content": content} for code in _statuses(route, access)}
        operation["responses"] = operation["responses"] | errors
        operation["x-access"] = access.scope or access.kind
        if takes_service_accounts(route):
            operation["x-service-accounts"] = True
        operation["security"] = [{"bearer": []}] if access.kind in {"permission", "signed in"} else []
