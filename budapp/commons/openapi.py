"""The OpenAPI document: what FastAPI derives, and what every route shares: versions, access, errors."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from importlib.resources import files
from threading import Lock
from typing import Any

from fastapi import FastAPI
from fastapi.encoders import jsonable_encoder
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import BaseModel

from budapp.commons.access import Access, access_of, api_routes, takes_service_accounts
from budapp.commons.errors import ErrorBody
from budapp.commons.idempotency import IdempotentRoute

_building = Lock()
_REFERENCE = "#/components/schemas/{model}"
HEADERS: dict[str, dict[str, Any]] = {
    "X-Request-Id": {
        "description": "The id of the request, which logs and errors name: the one that the client sent, or a new one",
        "schema": {"type": "string", "pattern": r"^[\w.-]{1,64}$"},
    },
    "Retry-After": {"description": "Seconds until the request may succeed", "schema": {"type": "integer"}},
    "WWW-Authenticate": {
        "description": "The scheme of the access token",
        "schema": {"type": "string", "const": "Bearer"},
    },
    "Idempotent-Replayed": {
        "description": "Sent where the key came before: this is the first response again, and nothing was changed",
        "schema": {"type": "string", "const": "true"},
    },
    "Location": {
        "description": "Where the browser goes next",
        "schema": {"type": "string", "format": "uri-reference"},
    },
    "Content-Disposition": {
        "description": "Whether to save or to show the file, and its name",
        "schema": {"type": "string"},
    },
}
"""What responses carry beside the body, by name; security headers and those of HTTP itself are not among them."""

_SECURITY_SCHEMES: dict[str, dict[str, Any]] = {
    "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
    "oauth2": {
        "type": "oauth2",
        "description": "The same token, fetched by e-mail address and password",
        "flows": {"password": {"tokenUrl": "/v1/auth/token", "scopes": {}}},
    },
}
"""Either will do; pages that show the document sign people in by the second one."""

_ERRORS = {
    400: ("BadRequest", "The request can't be carried out"),
    401: ("Unauthenticated", "Authentication is missing or has expired"),
    403: ("Forbidden", "Permission denied"),
    404: ("NotFound", "Not found, or not visible to the caller"),
    409: ("Conflict", "The request conflicts with an existing item"),
    413: ("PayloadTooLarge", "The request body is too large"),
    422: ("UnprocessableContent", "The request is not valid"),
    429: ("TooManyRequests", "Too many requests"),
    502: ("PeerFailed", "A service that budapp depends on failed"),
    503: ("Unavailable", "A store or service that budapp depends on is down"),
}
"""Status → the name of the response, which all routes share, and what it means."""

_ERROR_HEADERS = {401: ["WWW-Authenticate"], 409: ["Retry-After"], 429: ["Retry-After"], 503: ["Retry-After"]}


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


def download(*media_types: str) -> dict[int | str, dict[str, Any]]:
    """Return the `responses` of a route that answers with a file, in one of these types."""
    content = {media_type: {"schema": {"type": "string"}} for media_type in media_types}
    return {200: {"content": content, "headers": _headers(["Content-Disposition"])}}


@dataclass(frozen=True)
class Additions:
    """What the document has beside what routes declare.

    Attributes:
        schemas: put together at start, they take the place of those of the same name.
        parameters: name → description, for parameters that are declared without one.
        members: likewise, for the members of bodies.
    """

    schemas: Sequence[type[BaseModel]] = ()
    parameters: Mapping[str, str] = field(default_factory=dict)
    members: Mapping[str, str] = field(default_factory=dict)


def build_openapi(app: FastAPI, additions: Additions | None = None) -> dict[str, Any]:
    """Return the document; it is built once, whichever threads ask for it.

    Args:
        app: the application, with all its routes.
        additions: what they don't declare.
    """
    with _building:
        app.openapi_schema = app.openapi_schema or _build(app, additions or Additions())
        return app.openapi_schema


def _build(app: FastAPI, additions: Additions) -> dict[str, Any]:
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
    for schema in additions.schemas:
        found = schema.model_json_schema(ref_template=_REFERENCE, mode="serialization")
        body = jsonable_encoder(found, exclude_none=True)  # as FastAPI writes all others
        schemas |= body.pop("$defs", {}) | {schema.__name__: body}
    body = ErrorBody.model_json_schema(ref_template=_REFERENCE)
    schemas |= body.pop("$defs", {}) | {"ErrorBody": body}
    for obsolete in ("HTTPValidationError", "ValidationError"):
        schemas.pop(obsolete, None)
    _name_operations(document, routes)
    document["tags"] = _tags(routes)
    components["headers"] = HEADERS
    components["responses"] = {name: _error(status, meaning) for status, (name, meaning) in _ERRORS.items()}
    components["securitySchemes"] = _SECURITY_SCHEMES
    for route in routes:
        _describe(document["paths"][route.path_format], route)
    _add_examples(document)
    for operation in operations_of(document):
        for parameter in operation.get("parameters", ()):
            _describe_by_name(parameter["name"], parameter, additions.parameters)
    for schema in schemas.values():
        for name, member in schema.get("properties", {}).items():
            _describe_by_name(name, member, additions.members)
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
    errors = {str(code): {"$ref": f"#/components/responses/{_ERRORS[code][0]}"} for code in _statuses(route, access)}
    for method in route.methods or ():
        operation = path[method.lower()]
        # FastAPI declares the outcome, and a 422 of its own that `errors` takes the place of.
        for status, response in operation["responses"].items():
            response["headers"] = response.get("headers", {}) | _headers(_sent_with(route, method, status))
        operation["responses"] |= errors
        operation["x-access"] = access.scope or access.kind
        if takes_service_accounts(route):
            operation["x-service-accounts"] = True
        asks_for_caller = access.kind in {"permission", "signed in"}
        operation["security"] = [{name: []} for name in _SECURITY_SCHEMES] if asks_for_caller else []


def _sent_with(route: APIRoute, method: str, status: str) -> list[str]:
    """Return the headers that come with a success or a redirect."""
    if status.startswith("3"):
        return ["Location"]
    return ["Idempotent-Replayed"] if isinstance(route, IdempotentRoute) and method == "POST" else []


def _error(status: int, meaning: str) -> dict[str, Any]:
    content = {"application/problem+json": {"schema": {"$ref": _REFERENCE.format(model="ErrorBody")}}}
    return {"description": meaning, "headers": _headers(_ERROR_HEADERS.get(status, ())), "content": content}


def _headers(names: Iterable[str]) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in ("X-Request-Id", *names)}


def example_places(operation: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return where the examples of an operation go: `request` and `response`, a part of the document each."""
    places: dict[str, dict[str, Any]] = {}
    for content in operation.get("requestBody", {}).get("content", {}).values():
        places["request"] = content
    for status, response in operation["responses"].items():
        if status.startswith("2") and "application/json" in response.get("content", {}):
            places["response"] = response["content"]["application/json"]
    return places


def recorded_examples() -> dict[str, dict[str, Any]]:
    """Return operation id → the examples of its `request` and `response`, as recorded in `budapp/examples`."""
    folder = files("budapp") / "examples"
    recorded = [
        json.loads(file.read_text(encoding="utf-8")) for file in folder.iterdir() if file.name.endswith(".json")
    ]
    return {operation: examples for tag in recorded for operation, examples in tag.items()}


def operations_of(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return all operations of a document."""
    return [operation for path in document["paths"].values() for operation in path.values()]


def _describe_by_name(name: str, described: dict[str, Any], descriptions: Mapping[str, str]) -> None:
    if name in descriptions:
        described.setdefault("description", descriptions[name])


def _add_examples(document: dict[str, Any]) -> None:
    examples = recorded_examples()
    for operation in operations_of(document):
        found = examples.get(operation["operationId"], {})
        for place, content in example_places(operation).items():
            if place in found:
                content["example"] = found[place]
