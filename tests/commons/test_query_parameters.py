"""A query parameter that a route does not know."""

from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from budapp.commons.access import access_of, api_routes
from budapp.commons.config import Settings
from budapp.commons.domain import components_of
from tests.cast import Cast


@pytest.mark.parametrize("path", ["/projects/?limit=5&nme=x", "/users/me?verbose=1", "/models/?NAME=x"])
async def test_it_is_422_and_named(client: httpx.AsyncClient, cast: Cast, path: str) -> None:
    answer = await client.get(path, headers=cast.admin.headers)
    unknown = path.rpartition("&")[2].rpartition("?")[2].partition("=")[0]
    assert (answer.status_code, answer.json()["param"]) == (422, unknown)
    assert answer.json()["errors"] == [
        {"loc": ["query", unknown], "msg": "Unknown parameter", "type": "extra_forbidden"}
    ]


async def test_every_route_refuses_it_but_those_that_providers_send_browsers_to(
    app: FastAPI, client: httpx.AsyncClient, cast: Cast
) -> None:
    answers = {}
    for route in api_routes(app):
        access = access_of(route)
        if access is not None and access.kind != "internal":
            path = route.path_format.format(**dict.fromkeys(route.param_convertors, str(uuid4())))
            answers[route.path] = (await _call(client, route, path, cast)).json()
    takes_any = {path for path, body in answers.items() if body.get("param") != "no_such_parameter"}
    assert takes_any <= {"/oauth/secure-callback", "/connectors/oauth/public-callback"}
    assert len(answers) > 50


async def _call(client: httpx.AsyncClient, route: APIRoute, path: str, cast: Cast) -> httpx.Response:
    method = min(route.methods or {"GET"})
    return await client.request(method, f"{path}?no_such_parameter=1", headers=cast.admin.headers)


async def test_who_may_not_call_the_route_hears_that_first(client: httpx.AsyncClient, cast: Cast) -> None:
    assert (await client.get("/projects/?nme=x")).status_code == 401
    assert (await client.get("/audit/export?nme=x", headers=cast.tester.headers)).status_code == 403


async def test_what_is_declared_to_be_ignored_is_no_error(client: httpx.AsyncClient, cast: Cast) -> None:
    answer = await client.delete(f"/models/{uuid4()}?force=true", headers=cast.admin.headers)
    assert answer.status_code == 404


async def test_a_peer_may_name_the_user_that_it_acts_for(client: httpx.AsyncClient, app: FastAPI, cast: Cast) -> None:
    headers = {"dapr-api-token": components_of(app)[Settings].app_api_token.get_secret_value()}
    answer = await client.get(f"/models/{uuid4()}", params={"user_id": str(cast.admin.id)}, headers=headers)
    assert answer.status_code == 404
