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
from tests.failures import failures
from tests.surface.requests import fill
from tests.surface.routes import ROUTES, document
from tests.surface.surface import Surface

UNWRAPPED = {
    "/budpipeline/event-triggers",
    "/budpipeline/webhooks",
    "/connectors/oauth/departure",
    "/livez",
    "/endpoints/{endpoint_id}/workers/{worker_id}/logs/stream",
    "/readyz",
    "/health",
    "/metrics",
    "/dapr/subscribe",
    "/events",
    "/notifications",
    "/oauth/departure",
    "/oauth/secure-callback",
    "/audit/export",
    "/benchmark/{benchmark_id}/request-metrics/export",
    "/metrics/usage/export",
    "/playground/chat/completions",
    "/status",
    "/static/licenses/{token}/{file_name}",
    "/static/{path}",
    "/static/{path:path}",
}

ROWS_OF_PEERS = {"GET /metrics/inferences/{inference_id}", "GET /metrics/inferences/{inference_id}/feedback"}
"""Here a peer has the row: whether it is in reach is left open."""


def routes_where(holds: Callable[[APIRoute], bool]) -> dict[str, APIRoute]:
    """Return the routes for which the condition holds; there are some."""
    chosen = {operation: route for operation, route in ROUTES.items() if holds(route)}
    assert chosen
    return chosen


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
    "action_type": "log",
    "prompt_name": "none",
    "connector": "weather",
    "tool": "none",
    "trace": "none",
}


def method_of(operation: str) -> str:
    return operation.partition(" ")[0]


def url(route: APIRoute, value: str | None = None) -> str:
    """The route's path with the value, or with an id that nothing has, for each parameter that is an id."""
    return re.sub(r"{(\w+)}", lambda found: NO_IDS.get(found[1], value or str(uuid4())), route.path_format)


def takes_ids(route: APIRoute) -> bool:
    return not NO_IDS.keys() >= set(re.findall(r"{(\w+)}", route.path_format))


def test_the_walk_sees_every_route(app: FastAPI) -> None:
    assert len(api_routes(app)) == len({route.path + str(route.methods) for route in ROUTES.values()})


def test_every_route_says_who_may_call_it() -> None:
    with failures() as failed:
        for operation, route in ROUTES.items():
            with failed(operation):
                assert declared(route).kind in {"public", "signed in", "permission", "internal"}


def test_a_route_about_a_row_says_how_the_row_is_found() -> None:
    with failures() as failed:
        for operation, route in ROUTES.items():
            if operation in ROWS_OF_PEERS:
                continue
            with failed(operation):
                names_row = row_parameter(route) is not None and declared(route).kind != "public"
                assert not names_row or declared(route).row is not None


def test_every_route_has_a_docstring_and_an_envelope() -> None:
    with failures() as failed:
        for operation, route in ROUTES.items():
            unwrapped = route.path in UNWRAPPED or route.status_code == 204
            answers = () if unwrapped else get_args(route.response_model) or [route.response_model]
            with failed(operation):
                assert route.description
                assert all(isinstance(answer, type) and issubclass(answer, Answer) for answer in answers)


async def test_nobody_gets_past_a_route_that_asks_for_someone(client: httpx.AsyncClient, cast: Cast) -> None:
    answers = {200, 400, 401, 404, 422, 503}
    expected = {"signed in": {401}, "permission": {401}, "internal": {403}, "public": answers}
    with failures() as failed:
        for operation, route in ROUTES.items():
            answer = await client.request(method_of(operation), url(route), json={})
            with failed(operation):
                assert answer.status_code in expected[declared(route).kind]
                if answer.status_code >= 400 and declared(route).kind != "public":
                    assert answer.json()["object"] == "error"


async def test_a_token_does_not_open_what_only_the_sidecar_may_call(client: httpx.AsyncClient, cast: Cast) -> None:
    with failures() as failed:
        for operation, route in routes_where(lambda route: declared(route).kind == "internal").items():
            for headers in (cast.admin.headers, {"dapr-api-token": "guess"}, {"x-app-api-token": ""}):
                answer = await client.request(method_of(operation), url(route), json={}, headers=headers)
                with failed(operation):
                    assert answer.status_code == 403


async def test_someone_without_the_permission_gets_403_that_names_it(client: httpx.AsyncClient, cast: Cast) -> None:
    with failures() as failed:
        for operation, route in routes_where(lambda route: declared(route).scope is not None).items():
            scope = declared(route).scope
            for person in (cast.invited, cast.tester) if scope and scope.startswith("user:") else (cast.invited,):
                answer = await client.request(method_of(operation), url(route), json={}, headers=person.headers)
                with failed(operation):
                    assert answer.status_code == 403
                    assert person is cast.invited or scope in answer.json()["message"]


def test_every_error_that_a_route_can_give_is_documented() -> None:
    published = document().published
    with failures() as failed:
        for name, route in routes_where(lambda route: route.include_in_schema).items():
            operation: dict[str, Any] = published["paths"][route.path_format][method_of(name).lower()]
            documented = set(operation["responses"])
            expected = {"422", "503"}
            if declared(route).kind in {"permission", "signed in"}:
                expected |= {"401", "403"}
            if "{" in route.path:
                expected |= {"404"}
            with failed(name):
                assert expected <= documented
                for status in documented - {"200", "201", "204", "302"}:
                    shared = operation["responses"][status]["$ref"].rpartition("/")[2]
                    content = published["components"]["responses"][shared]["content"]
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


async def test_an_unknown_id_is_404(surface: Surface) -> None:
    with failures() as failed:
        for operation in routes_where(takes_ids):
            request = fill(operation, surface.scene.here)
            unknown = {name: str(uuid4()) for name in request.params if name.endswith("_id")}
            answer = await surface.send(replace(request, params=request.params | unknown), "super_admin")
            with failed(operation):
                assert (answer.status_code, answer.json().get("code")) == (404, 404)


async def test_what_is_no_id_is_422(client: httpx.AsyncClient, cast: Cast) -> None:
    with failures() as failed:
        for operation, route in routes_where(takes_ids).items():
            answer = await client.request(method_of(operation), url(route, "7"), json={}, headers=cast.admin.headers)
            with failed(operation):
                assert answer.status_code == 422
                assert answer.json()["errors"][0]["loc"][0] == "path"
