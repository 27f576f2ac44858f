"""What surrounds every request."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client.parser import text_string_to_metric_families

from budapp.commons.access import Authenticator
from budapp.commons.config import Settings
from budapp.commons.domain import components_of
from budapp.commons.error_handlers import error_response
from budapp.commons.errors import TooManyRequests, UnprocessableContent
from budapp.commons.rate_limits import RateLimiter
from budapp.main import create_app
from tests.cast import PASSWORD, Cast
from tests.logs import Logged

ORIGIN = "http://localhost:3000"


async def test_the_versioned_and_the_bare_path_are_the_same(client: httpx.AsyncClient, cast: Cast) -> None:
    versioned = await client.get("/v1/users/me", headers=cast.admin.headers)
    bare = await client.get("/users/me", headers=cast.admin.headers)
    assert versioned.status_code == 200
    assert versioned.json() == bare.json()


async def test_a_slash_at_the_end_makes_no_difference(client: httpx.AsyncClient, cast: Cast) -> None:
    for path in ("/v1/projects", "/projects", "/v1/projects/", "/roles", "/v1/roles/"):
        answer = await client.get(f"{path}?limit=1", headers=cast.admin.headers)
        assert (answer.status_code, answer.json()["limit"]) == (200, 1)
    made = await client.post("/v1/projects", json={"name": "Without a slash"}, headers=cast.admin.headers)
    assert made.status_code in (200, 201)
    assert (await client.get("/v1/projects")).status_code == 401


async def test_an_unknown_path_or_method_is_answered_in_the_same_shape(client: httpx.AsyncClient, cast: Cast) -> None:
    missing = await client.get("/nowhere", headers=cast.admin.headers)
    wrong = await client.put("/auth/login")
    assert (missing.status_code, wrong.status_code) == (404, 405)
    for answer in (missing, wrong):
        assert {"object", "code", "message", "param", "type", "title", "status", "detail"} <= set(answer.json())


async def test_a_usable_request_id_is_kept_and_a_strange_one_replaced(client: httpx.AsyncClient) -> None:
    kept = await client.get("/nowhere", headers={"X-Request-Id": "abc-123"})
    assert kept.headers["x-request-id"] == kept.json()["request_id"] == "abc-123"
    for strange in (b"x" * 65, b"a b", b'"}{', "é".encode()):
        replaced = await client.get("/nowhere", headers={b"X-Request-Id": strange})
        assert len(replaced.headers["x-request-id"]) == 32


async def test_every_answer_carries_the_security_headers(client: httpx.AsyncClient, cast: Cast) -> None:
    for answer in (await client.get("/nowhere"), await client.get("/users/me", headers=cast.admin.headers)):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["cache-control"] == "no-store"


async def test_the_frontends_preflight_is_answered(client: httpx.AsyncClient) -> None:
    headers = {
        "Origin": ORIGIN,
        "Access-Control-Request-Method": "PATCH",
        "Access-Control-Request-Headers": "authorization,content-type,x-resource-type,x-entity-id,idempotency-key",
    }
    answer = await client.options("/users/me", headers=headers)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == ORIGIN


async def test_another_origin_is_not_let_in(client: httpx.AsyncClient) -> None:
    headers = {"Origin": "https://evil.example", "Access-Control-Request-Method": "GET"}
    answer = await client.options("/users/me", headers=headers)
    assert "access-control-allow-origin" not in answer.headers
    simple = await client.get("/nowhere", headers={"Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in simple.headers


async def test_an_error_is_readable_for_the_frontends_origin(client: httpx.AsyncClient) -> None:
    answer = await client.get("/users/me", headers={"Origin": ORIGIN})
    assert answer.status_code == 401
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    exposed = {name.strip() for name in answer.headers["access-control-expose-headers"].split(",")}
    assert exposed >= {"Idempotent-Replayed", "Retry-After", "X-Request-Id", "Deprecation", "Sunset"}


@pytest.mark.parametrize("announced", [True, False])
async def test_a_body_over_the_limit_is_413_announced_or_not(
    client: httpx.AsyncClient, app: FastAPI, announced: bool
) -> None:
    limit = components_of(app)[Settings].request_body_max_bytes

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(limit // 65_536 + 2):
            yield b"x" * 65_536

    content = b"x" * (limit + 1) if announced else chunks()
    answer = await client.post("/auth/login", content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == 413
    assert answer.json()["code"] == 413


async def test_a_body_of_just_the_limit_is_read(client: httpx.AsyncClient, app: FastAPI) -> None:
    content = b"{}".ljust(components_of(app)[Settings].request_body_max_bytes)
    answer = await client.post("/auth/login", content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422


@pytest.mark.parametrize("length", ["-1", "x", "9" * 40])
async def test_a_strange_content_length_is_no_500(client: httpx.AsyncClient, length: str) -> None:
    answer = await client.post("/auth/login", content=b"{}", headers={"Content-Length": length})
    assert 400 <= answer.status_code < 500


async def test_what_nobody_foresaw_is_a_500_without_details(
    client: httpx.AsyncClient,
    app: FastAPI,
    cast: Cast,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    async def broken(*_: object) -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(components_of(app)[Authenticator], "authenticate", broken)
    answer = await client.get("/users/me", headers=cast.admin.headers)
    assert answer.status_code == 500
    assert "secret detail" not in answer.text
    assert answer.json()["request_id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize(
    ("body", "where"),
    [
        (b"{", "line 1, column 2: "),
        (b'{"email": "a@b.de",\n  password: "x"}', "line 2, column 3: "),
        ('{"e": "ä", \'x\'}'.encode(), "line 1, column 12: "),
        (b"{\n\n\n", "line 4, column 1: "),
    ],
)
async def test_a_body_that_is_no_json_is_422_and_says_where(client: httpx.AsyncClient, body: bytes, where: str) -> None:
    answer = await client.post("/auth/login", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["type"] == "json_invalid"
    assert f"The request body is not valid JSON at {where}" in answer.json()["message"]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/roles", {"name": "r", "scopes": ["\ud800"]}),
        ("PUT", "/permissions/{id}/global", [{"name": "\ud800", "has_permission": True}]),
        ("PATCH", "/projects/{id}", {"name": "\ud800"}),
        ("POST", "/projects/", {"name": "p", "tags": [{"name": "t", "color": "\ud800"}]}),
        ("POST", "/auth/login", {"email": "\ud800@example.com", "password": "\ud800"}),
        ("POST", "/audit/verify-batch", ["\ud800"]),
    ],
)
async def test_half_a_surrogate_pair_is_422_wherever_it_is_sent(
    client: httpx.AsyncClient, cast: Cast, method: str, path: str, body: Any
) -> None:
    content, path = json.dumps(body), path.replace("{id}", str(cast.developer.id))
    headers = cast.admin.headers | {"Content-Type": "application/json"}
    answer = await client.request(method, path, content=content, headers=headers)
    assert answer.status_code == 422
    assert "\ud800" not in answer.json()["message"]


async def test_an_error_about_a_field_that_is_no_text_can_be_shown() -> None:
    answer = error_response(UnprocessableContent("It says \ud800", param="\udfff"), "/somewhere")
    body = json.loads(bytes(answer.body))
    assert (body["message"], body["param"]) == ("It says ?", "?")


async def test_a_nul_character_is_422_and_not_a_database_error(client: httpx.AsyncClient, cast: Cast) -> None:
    answer = await client.post("/projects/", json={"name": "a\x00b"}, headers=cast.admin.headers)
    assert answer.status_code == 422


async def test_metrics_count_requests_by_route_and_not_by_path(client: httpx.AsyncClient, cast: Cast) -> None:
    await client.get(f"/users/{cast.developer.id}", headers=cast.admin.headers)
    text = (await client.get("/metrics")).text
    routes = {
        sample.labels.get("route")
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "http_requests_total"
    }
    assert "/users/{user_id}" in routes
    assert not any(str(cast.developer.id) in str(route) for route in routes)


async def test_a_request_leaves_one_log_line_with_who_and_what(
    client: httpx.AsyncClient, cast: Cast, logged: Logged
) -> None:
    await client.get("/users/me", headers=cast.admin.headers | {"X-Request-Id": "log-me"})
    found = [json.loads(line) for line in logged.lines if "log-me" in line]
    assert len(found) == 1
    assert found[0]["status"] == 200
    assert found[0]["user_id"] == str(cast.admin.id)


async def test_neither_password_nor_token_is_ever_logged(client: httpx.AsyncClient, cast: Cast, logged: Logged) -> None:
    await client.post("/auth/login", json={"email": cast.admin.email, "password": PASSWORD})
    await client.post("/auth/login", json={"email": cast.admin.email, "password": "Wrong-Password-1"})
    await client.get("/users/me", headers=cast.admin.headers)
    text = logged.text
    assert text
    for secret in (PASSWORD, "Wrong-Password-1", cast.admin.tokens["access_token"], "eyJ"):
        assert secret not in text


@pytest.mark.parametrize(("trusted", "address"), [([], "10.9.8.7"), (["10.0.0.0/8"], "1.2.3.4")])
async def test_the_forwarded_address_counts_only_from_a_trusted_proxy(
    settings: Settings, trusted: list[str], address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = create_app(settings.model_copy(update={"trusted_proxies": trusted}))
    seen: list[str] = []

    async def hit(_limit: str, _path: str, who: str) -> None:
        seen.append(who)
        raise TooManyRequests(1)

    monkeypatch.setattr(components_of(app)[RateLimiter], "hit", hit)
    transport = httpx.ASGITransport(app, client=("10.9.8.7", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://budapp.test") as client:
        body = {"refresh_token": "x"}
        answer = await client.post("/auth/refresh-token", json=body, headers={"X-Forwarded-For": "1.2.3.4"})
    await components_of(app).close()
    assert answer.status_code == 429
    assert seen == [address]
