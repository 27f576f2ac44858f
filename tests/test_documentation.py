"""The pages that show the API, for whoever has no internet and is not signed in."""

import asyncio
import re
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from tests.cast import PASSWORD, Cast
from tests.events.sidecar import serve
from tests.oauth.browser import browser


@pytest.mark.parametrize("base", ["", "/v1"])
async def test_the_document_and_its_pages_are_for_everyone(
    client: httpx.AsyncClient, openapi: dict[str, Any], base: str
) -> None:
    document = await client.get(f"{base}/openapi.json")
    assert (document.status_code, document.json()) == (200, openapi)
    for page in ("docs", "redoc"):
        answer = await client.get(f"{base}/{page}")
        assert answer.status_code == 200
        named = set(re.findall(r"""(?:src|href|url|Url)(?:=|: )["']([^"']+)["']""", answer.text)) - {"data:,"}
        assert len(named) >= 1
        for address in named:
            assert "//" not in address, "it needs the internet"
            assert (await client.get(f"{base}/{address}")).status_code == 200, address


async def test_no_other_file_is_given_away(client: httpx.AsyncClient) -> None:
    for name in ("nosuch.js", "swagger-ui", "..%2Fcore.py"):
        assert (await client.get(f"/docs/assets/{name}")).status_code in (401, 404)


@pytest.mark.usefixtures("openapi")
async def test_a_browser_shows_the_routes(app: FastAPI) -> None:
    def look(port: int) -> None:
        with browser() as window:
            window.go(f"http://127.0.0.1:{port}/v1/docs")
            window.read("/v1 - Version 1")
            window.read("projects")

    async with serve(app) as port:
        await asyncio.to_thread(look, port)


@pytest.mark.usefixtures("openapi")
async def test_people_sign_in_by_the_dialog_and_try_routes_out(app: FastAPI, cast: Cast) -> None:
    def look(port: int) -> None:
        with browser() as window:
            window.go(f"http://127.0.0.1:{port}/v1/docs")
            window.read("/v1 - Version 1")
            window.press(".scheme-container button.authorize")
            window.fill("oauth_username", cast.developer.email)
            window.fill("oauth_password", PASSWORD)
            window.press("button[aria-label='Apply given OAuth2 credentials']")
            window.press("button[aria-label='Remove authorization'] + .btn-done")
            window.press("#operations-tag-users")
            window.press("#operations-users-users_get_current .opblock-summary-control")
            window.press("#operations-users-users_get_current .try-out__btn")
            window.press("#operations-users-users_get_current button.execute")
            window.read(str(cast.developer.id))

    async with serve(app) as port:
        await asyncio.to_thread(look, port)
