"""Which route answers, whatever order the routes are in and however many there are."""

import sys
from collections.abc import Sequence
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI, WebSocket

from budapp.commons.routing import RouteIndex
from tests.cast import Cast
from tests.failures import failures
from tests.surface.routes import ROUTES
from tests.test_routes import url

PATHS = ["/models/{id}", "/models/catalog", "/models/{id}/{part}", "/models/catalog/{part}", "/models/{rest:path}"]
PATHS += ["/models/{number:int}", "/{anything}/catalog"]

EXPECTED = {
    "/models/catalog": "/models/catalog",
    "/models/7": "/models/{number:int}",
    "/models/seven": "/models/{id}",
    "/models/catalog/x": "/models/catalog/{part}",
    "/models/7/x": "/models/{id}/{part}",
    "/models/7/x/y": "/models/{rest:path}",
    "/other/catalog": "/{anything}/catalog",
}


def application(paths: Sequence[str]) -> FastAPI:
    """An application with a route, in a router of its own, for each path."""
    app = FastAPI()
    for path in paths:
        router = APIRouter()
        router.add_api_route(path, lambda: None)
        app.include_router(router)
    RouteIndex.install(app)
    return app


def route_at(app: FastAPI, method: str, path: str) -> Any:
    index: RouteIndex = app.state.routes
    return index.route_of(method, path)


@pytest.mark.parametrize("paths", [PATHS, PATHS[::-1]], ids=["in order", "reversed"])
def test_the_order_of_the_routes_means_nothing(paths: list[str]) -> None:
    app = application(paths)
    assert {path: route_at(app, "GET", path).path for path in EXPECTED} == EXPECTED


def test_a_method_that_the_more_specific_route_lacks_goes_to_the_other() -> None:
    app = FastAPI()
    app.add_api_route("/models/catalog", lambda: None, methods=["GET"])
    app.add_api_route("/models/{id}", lambda: None, methods=["GET", "DELETE"])
    RouteIndex.install(app)
    assert route_at(app, "GET", "/models/catalog").path == "/models/catalog"
    assert route_at(app, "DELETE", "/models/catalog").path == "/models/{id}"
    assert route_at(app, "PUT", "/models/catalog") is None


@pytest.mark.parametrize("twin", ["/models/{id}/parts", "/models/{model_id}/parts"])
def test_two_routes_that_nothing_tells_apart_do_not_start(twin: str) -> None:
    with pytest.raises(RuntimeError, match=r"GET .*parts"):
        application(["/models/{id}/parts", twin])


def test_parameters_of_another_type_are_told_apart() -> None:
    app = application(["/parts/{number:int}", "/parts/{id:uuid}", "/parts/{name}"])
    assert route_at(app, "GET", "/parts/12").path == "/parts/{number:int}"
    assert route_at(app, "GET", "/parts/0190163d-8694-739b-aea5-966c26f8ad90").path == "/parts/{id:uuid}"
    assert route_at(app, "GET", "/parts/twelve").path == "/parts/{name}"


def calls_to_find(app: FastAPI, path: str) -> int:
    """How many functions run until the route is found."""
    calls = 0

    def count(_frame: object, event: str, _arg: object) -> None:
        nonlocal calls
        calls += event == "call"

    sys.setprofile(count)
    try:
        found = route_at(app, "GET", path)
    finally:
        sys.setprofile(None)
    assert found is not None
    return calls


def test_finding_a_route_is_the_same_work_among_500_as_among_10() -> None:
    few, many = (
        application(
            [f"/things{n}/{part}" for n in range(kinds) for part in ("", "{id}", "{id}/parts", "tags", "{id}/x")]
        )
        for kinds in (2, 100)
    )
    for path in ("/things1/", "/things1/7", "/things1/tags", "/things1/7/parts"):
        assert calls_to_find(many, path) == calls_to_find(few, path)


def test_every_route_is_reached_by_its_own_path(app: FastAPI) -> None:
    with failures() as failed:
        for operation, route in ROUTES.items():
            with failed(operation):
                assert route_at(app, operation.partition(" ")[0], url(route)) is route


async def test_405_names_every_method_that_the_path_takes(client: httpx.AsyncClient, cast: Cast) -> None:
    answer = await client.put("/projects/7", headers=cast.admin.headers)
    assert answer.status_code == 405
    assert answer.headers["allow"] == "DELETE, GET, PATCH"
    assert (await client.head("/livez")).headers["allow"] == "GET"


async def test_with_a_slash_more_or_less_the_methods_are_the_same(client: httpx.AsyncClient, cast: Cast) -> None:
    for path in ("/projects", "/projects/"):
        refused = await client.delete(path, headers=cast.admin.headers)
        assert (refused.status_code, refused.headers["allow"]) == (405, "GET, POST")
    assert (await client.get("/nowhere/", headers=cast.admin.headers)).status_code == 404


async def test_two_routes_that_differ_by_a_slash_stay_two() -> None:
    app = FastAPI()
    app.add_api_route("/things", lambda: "one")
    app.add_api_route("/things/", lambda: "other")
    RouteIndex.install(app)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://things.test") as http:
        assert [(await http.get(path)).json() for path in ("/things", "/things/")] == ["one", "other"]


@pytest.mark.usefixtures("openapi")
async def test_the_document_is_there_for_head_too(client: httpx.AsyncClient) -> None:
    assert (await client.get("/openapi.json")).status_code == 200
    assert (await client.head("/openapi.json")).status_code == 200


async def test_mounted_applications_are_reached() -> None:
    app, mounted = FastAPI(), FastAPI()
    mounted.add_api_route("/page", lambda: "page")
    app.mount("/static", mounted)
    RouteIndex.install(app)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://mounts.test") as http:
        assert (await http.get("/static/page")).json() == "page"
        assert (await http.get("/static/none")).status_code == 404


async def test_websockets_are_reached() -> None:
    app = FastAPI()

    @app.websocket("/feed")
    async def feed(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text("news")

    RouteIndex.install(app)
    sent: list[Any] = []

    async def receive() -> dict[str, str]:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    await app({"type": "websocket", "path": "/feed", "headers": [], "query_string": b""}, receive, send)
    assert [message.get("text") for message in sent] == [None, "news"]
