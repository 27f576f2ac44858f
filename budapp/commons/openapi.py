"""The OpenAPI document: what FastAPI derives, and what every route shares: versions, access, errors."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from importlib import import_module
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
    document["info"]["contact"] = {"name": "The maintainers of budapp"}
    document["info"]["license"] = {"name": "Apache 2.0", "identifier": "Apache-2.0"}
    routes = [route for route in api_routes(app) if route.include_in_schema]
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
    _name_operations(document, routes)
    document["tags"] = _tags(routes)
    components["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}
    for route in routes:
        _describe(document["paths"][route.path_format], route)
    return document


def operation_name(tag: str, function: str) -> str:
    """Return the name that generated clients give to a route: its tag, then what the function does with it.

    `create_project` among "projects" is `projects_create`.
    """
    plural = tag.replace(" ", "_")
    singular = f"{plural[:-3]}y" if plural.endswith("ies") else plural.removesuffix("s")
    for thing in (plural, singular):
        if function.endswith(f"_{thing}"):
            return f"{plural}_{function.removesuffix(f'_{thing}')}"
    return f"{plural}_{function}"


def _name_operations(document: dict[str, Any], routes: Iterable[APIRoute]) -> None:
    """Name all operations; of a route with two paths, the second one is an alias.

    Raises:
        RuntimeError: two routes have one name.
    """
    named: dict[str, Any] = {}
    for route in routes:
        name = operation_name(str(route.tags[0]), route.name)
        if named.get(name) is route.endpoint:
            name = f"{name}_alias"
        if name in named:
            raise RuntimeError(f"two routes are called {name}: rename the function of one of them")
        named[name] = route.endpoint
        [method] = sorted(route.methods or ())
        document["paths"][route.path_format][method.lower()]["operationId"] = name


def _tags(routes: Iterable[APIRoute]) -> list[dict[str, str]]:
    """Describe each tag by what the domain with most of its routes says of itself."""
    packages: dict[str, Counter[str]] = defaultdict(Counter)
    for route in routes:
        packages[str(route.tags[0])][route.endpoint.__module__.rpartition(".")[0]] += 1
    return [
        {"name": tag, "description": import_module(f"{found.most_common(1)[0][0]}.domain").__doc__ or ""}
        for tag, found in sorted(packages.items())
    ]


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
