"""The routes, and the fields that they take, read off the application and its OpenAPI document."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from budapp.commons.domain import routes_of
from budapp.domains import DOMAINS

ROUTES: dict[str, APIRoute] = {
    f"{method} {route.path_format}": route for route in routes_of(DOMAINS) for method in sorted(route.methods or ())
}
"""`METHOD /path` → route."""

_DEEPEST = 8
_PAGING = {"page", "limit", "cursor", "order_by", "orderBy", "order"}
_SNAPSHOT = Path(__file__).resolve().parents[2] / "docs" / "openapi.json"


@dataclass(frozen=True)
class Location:
    """Where in a request a value goes: `part` is path, query or body, and `keys` lead to it; 0 is a list's element."""

    part: str
    keys: tuple[str | int, ...]
    schema: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.part}:{'.'.join(map(str, self.keys))}"

    @property
    def takes_id(self) -> bool:
        """Tell whether the field is declared to hold an id."""
        return any(part.get("format") == "uuid" for part in alternatives(self.schema))


def alternatives(schema: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return what the schema allows, one by one."""
    found = [*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("allOf", ())]
    return [part for each in found for part in alternatives(each)] or [schema]


class Document:
    """The requests of all routes, as OpenAPI describes them.

    Those of published routes are read from the committed document: to build it takes seconds, in every worker.
    """

    def __init__(self) -> None:
        self.published: dict[str, Any] = json.loads(_SNAPSHOT.read_text())
        self._documents = [self.published, _unpublished(self.published)]

    def takes(self, operation: str, location: str) -> bool:
        """Tell whether the operation's request has this place, such as `query:cursor`."""
        return any(str(place) == location for place in self.locations(operation))

    def filters(self, operation: str) -> list[Location]:
        """Return the places of a list's query that choose what is listed; not `search`, where it is yes or no."""
        found = (place for place in self.locations(operation) if place.part == "query")
        return [place for place in found if place.keys[0] not in _PAGING and not _says_how(place)]

    def locations(self, operation: str) -> list[Location]:
        """Return every place of the operation's request that takes a value, nested ones too."""
        method, _, path = operation.partition(" ")
        for document in self._documents:
            described = document["paths"].get(path, {}).get(method.lower())
            if described is not None:
                return _Request(document, described).locations()
        return []


def _says_how(place: Location) -> bool:
    return place.keys == ("search",) and place.schema.get("type") == "boolean"


@dataclass(frozen=True)
class _Request:
    document: Mapping[str, Any]
    described: Mapping[str, Any]

    def locations(self) -> list[Location]:
        found = [
            Location(parameter["in"], (parameter["name"],), self._alternatives_resolved(parameter["schema"]))
            for parameter in self.described.get("parameters", ())
            if parameter["in"] in {"path", "query"}
        ]
        for content in self.described.get("requestBody", {}).get("content", {}).values():
            found += self._inside((), content["schema"])
        return found

    def _resolved(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        reference = schema.get("$ref")
        if reference is None:
            return schema
        target: Any = self.document
        for key in reference.removeprefix("#/").split("/"):
            target = target[key]
        return self._resolved(target)

    def _alternatives_resolved(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        found = self._resolved(schema)
        return {**found, "anyOf": [self._resolved(part) for part in found["anyOf"]]} if "anyOf" in found else found

    def _inside(self, keys: tuple[str | int, ...], schema: Mapping[str, Any]) -> Iterator[Location]:
        schema = self._resolved(schema)
        yield Location("body", keys, schema)
        if len(keys) == _DEEPEST:
            return
        for part in map(self._resolved, alternatives(schema)):
            for name, inner in part.get("properties", {}).items():
                yield from self._inside((*keys, name), inner)
            if "items" in part:
                yield from self._inside((*keys, 0), part["items"])


def _unpublished(published: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document of the routes that the published one leaves out."""
    paths = published["paths"]
    routes = [route for route in ROUTES.values() if _is_missing(route, paths)]
    hidden = [route for route in routes if not route.include_in_schema]
    for route in hidden:
        route.include_in_schema = True
    document = get_openapi(title="the others", version="1", routes=routes)
    for route in hidden:
        route.include_in_schema = False
    return document


def _is_missing(route: APIRoute, paths: Mapping[str, Any]) -> bool:
    published = paths.get(route.path_format, {})
    return any(method.lower() not in published for method in route.methods or ())


@cache
def document() -> Document:
    """Return the one document of this process."""
    return Document()
