"""What must hold of every route alike, read off the application itself."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any, get_args
from uuid import uuid4

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute

from budapp.commons.access import Access, access_of, api_routes, check_routes, public, row_parameter
from budapp.commons.schemas import Answer
from tests.cast import Cast
from tests.surface.requests import fill
from tests.surface.routes import ROUTES
from tests.surface.surface import Surface

UNWRAPPED = {
    "/livez",
    "/endpoints/{endpoint_id}/workers/{worker_id}/logs/stream",
    "/readyz",
    "/health",
    "/metrics",
    "/dapr/subscribe",
    "/notifications",
    "/oauth/departure",
    "/oauth/secure-callback",
    "/audit/export",
    "/static/licenses/{token}/{file_name}",
    "/static/{path}",
    "/static/{path:path}",
}


OPERATIONS = [(operation.partition(" ")[0], route) for operation, route in ROUTES.items()]


def routes_where(holds: Callable[[APIRoute], bool]) -> pytest.MarkDecorator:
    """Run a test once for each route for which the condition holds."""
    chosen = {name: (method, route) for name, (method, route) in zip(ROUTES, OPERATIONS, strict=True) if holds(route)}
    assert chosen
    return pytest.mark.parametrize(("method", "route"), chosen.values(), ids=list(chosen))


every_route = routes_where(lambda route: True)


def declared(route: APIRoute) -> Access:
    access = access_of(route)
    assert access is not None
    return access


NO_IDS = {
    "number": "1",
    "split": "train",
    "provider": "oidc",
    "path": "icons/general/model.svg",
    "token": "none",
    "file_name": "x",
}


def url(route: APIRoute, value: str | None = None) -> str:
    """The route's path with the value, or with an id that nothing has, for each parameter that is an id."""
    return re.sub(r"{(\w+)}", lambda found: NO_IDS.get(found[1], value or str(uuid4())), route.path_format)


def takes_ids(route: APIRoute) -> bool:
    return not NO_IDS.keys() >= set(re.findall(r"{(\w+)}", route.path_format))


def test_the_walk_sees_every_route(app: FastAPI) -> None:
    assert len(api_routes(app)) == len({route.path + str(route.methods) for _, route in OPERATIONS})


@every_route
def test_every_route_says_who_may_call_it(method: str, route: APIRoute) -> None:
    assert declared(route).kind in {"public", "signed in", "permission", "internal"}


@every_route
def test_a_route_about_a_row_says_how_the_row_is_found(method: str, route: APIRoute) -> None:
    names_row = row_parameter(route) is not None and declared(route).kind != "public"
    assert not names_row or declared(route).row is not None


@every_route
def test_every_route_has_a_docstring_and_an_envelope(method: str, route: APIRoute) -> None:
    assert route.description
    if route.path not in UNWRAPPED:
        for answer in get_args(route.response_model) or [route.response_model]:
            assert isinstance(answer, type)
            assert issubclass(answer, Answer)


@every_route
async def test_nobody_gets_past_a_route_that_asks_for_someone(
    client: httpx.AsyncClient, cast: Cast, method: str, route: APIRoute
) -> None:
    answer = await client.request(method, url(route), json={})
    answers = {200, 400, 401, 404, 422, 503}
    expected = {"signed in": {401}, "permission": {401}, "internal": {403}, "public": answers}
    assert answer.status_code in expected[declared(route).kind]
    if answer.status_code >= 400 and declared(route).kind != "public":
        assert answer.json()["object"] == "error"


@routes_where(lambda route: declared(route).kind == "internal")
async def test_a_token_does_not_open_what_only_the_sidecar_may_call(
    client: httpx.AsyncClient, cast: Cast, method: str, route: APIRoute
) -> None:
    for headers in (cast.admin.headers, {"dapr-api-token": "guess"}, {"x-app-api-token": ""}):
        assert (await client.request(method, url(route), json={}, headers=headers)).status_code == 403


@routes_where(lambda route: declared(route).scope is not None)
async def test_someone_without_the_permission_gets_403_that_names_it(
    client: httpx.AsyncClient, cast: Cast, method: str, route: APIRoute
) -> None:
    scope = declared(route).scope
    assert scope is not None
    answer = await client.request(method, url(route), json={}, headers=cast.invited.headers)
    assert answer.status_code == 403
    if scope.startswith("user:"):
        answer = await client.request(method, url(route), json={}, headers=cast.tester.headers)
        assert answer.status_code == 403
        assert scope in answer.json()["message"]


@every_route
def test_every_error_that_a_route_can_give_is_documented(method: str, route: APIRoute, app: FastAPI) -> None:
    if not route.include_in_schema:
        return
    operation: dict[str, Any] = app.openapi()["paths"][route.path_format][method.lower()]
    documented = set(operation["responses"])
    expected = {"422", "503"}
    if declared(route).kind in {"permission", "signed in"}:
        expected |= {"401", "403"}
    if "{" in route.path:
        expected |= {"404"}
    assert expected <= documented
    for status in documented - {"200", "201", "302"}:
        content = operation["responses"][status]["content"]
        assert content["application/problem+json"]["schema"]["$ref"].endswith("/ErrorBody")


def test_a_route_that_says_nothing_does_not_start() -> None:
    application = FastAPI()

    @application.get("/forgotten")
    async def forgotten() -> None: ...

    with pytest.raises(RuntimeError, match="forgotten"):
        check_routes(api_routes(application))


def test_a_route_that_says_it_twice_does_not_start() -> None:
    application, router = FastAPI(), APIRouter(dependencies=[public])

    @router.get("/twice", dependencies=[public])
    async def twice() -> None: ...

    application.include_router(router)
    with pytest.raises(RuntimeError, match="twice"):
        check_routes(api_routes(application))


@routes_where(takes_ids)
async def test_an_unknown_id_is_404(surface: Surface, method: str, route: APIRoute) -> None:
    request = fill(f"{method} {route.path_format}", surface.scene.here)
    unknown = replace(
        request, params=request.params | {name: str(uuid4()) for name in request.params if name.endswith("_id")}
    )
    answer = await surface.send(unknown, "super_admin")
    assert answer.status_code == 404
    assert answer.json()["code"] == 404


@routes_where(takes_ids)
async def test_what_is_no_id_is_422(client: httpx.AsyncClient, cast: Cast, method: str, route: APIRoute) -> None:
    answer = await client.request(method, url(route, "7"), json={}, headers=cast.admin.headers)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["loc"][0] == "path"
