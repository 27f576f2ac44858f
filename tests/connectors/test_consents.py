"""The walk to the stack's Keycloak and back, and everything that somebody else could bring back."""

from collections.abc import Callable
from dataclasses import replace
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from sqlalchemy import select

from budapp.commons.config import Settings
from budapp.commons.database import Database
from budapp.connector_ops.models import ConnectorGateway
from tests.cast import PASSWORD, Cast
from tests.connectors.conftest import Desk, Json

Browsers = Callable[[], httpx.AsyncClient]
CALLBACK = "/connectors/oauth/public-callback"
STATE = "the state of one consent"


async def has_consent(desk: Desk, gateway: Json) -> bool:
    told = await desk.call("GET", f"/connectors/{gateway['gateway_id']}/oauth/token-status")
    return bool(told["connected"])


async def test_a_consent_is_given_at_keycloak_and_opens_the_tools(desk: Desk, browser: Browsers) -> None:
    gateway = await desk.custom()
    tools = f"/connectors/{gateway['gateway_id']}/tools"
    assert (await desk.call("GET", tools))["tools"] == []
    refused = await desk.call("POST", f"/connectors/{gateway['gateway_id']}/fetch-tools", 400)
    assert "consent" in refused["message"]
    begun = await desk.begin(gateway)
    window = browser()
    url = await desk.depart(begun, window)
    assert url.startswith(f"{desk.provider.base}/auth?")
    assert parse_qs(urlsplit(url).query)["state"] == [begun["state"]]
    back = await desk.provider.consent(url)
    done = await window.get(CALLBACK, params=back)
    assert done.status_code == 200, done.text
    told = done.json()
    assert (told["success"], told["gateway_id"]) == (True, gateway["gateway_id"])
    assert await has_consent(desk, gateway)
    await desk.call("POST", f"/connectors/{gateway['gateway_id']}/fetch-tools")
    found = (await desk.call("GET", tools))["tools"]
    assert [tool["originalName"] for tool in found] == ["read", "search", "write"]
    [listed] = (await desk.call("GET", "/connectors/configured"))["connectors"]
    assert (listed["oauth_connected"], listed["tool_count"]) == (True, 3)
    await desk.call("DELETE", f"/connectors/{gateway['gateway_id']}/oauth/token")
    assert not await has_consent(desk, gateway)


async def test_a_page_is_sent_back_to_where_it_began(desk: Desk, browser: Browsers, settings: Settings) -> None:
    gateway = await desk.custom()
    where = f"{settings.frontend_url}/agents?tab=tools"
    begun, window = await desk.begin(gateway, return_url=where), browser()
    back = await desk.provider.consent(await desk.depart(begun, window))
    answer = await window.get(CALLBACK, params=back, headers={"accept": "text/html"})
    assert answer.status_code == 302
    query = parse_qs(urlsplit(answer.headers["location"]).query)
    assert answer.headers["location"].startswith(f"{settings.frontend_url}/agents?")
    assert (query["tab"], query["oauth_status"], query["gateway_id"]) == (
        ["tools"],
        ["success"],
        [gateway["gateway_id"]],
    )


async def test_somebody_who_is_signed_in_hands_the_code_in(desk: Desk, browser: Browsers) -> None:
    gateway = await desk.custom()
    begun = await desk.begin(gateway)
    back = await desk.provider.consent(await desk.depart(begun, browser()))
    body = {"code": back["code"], "state": back["state"]}
    done = await desk.call("POST", "/connectors/oauth/callback", json=body)
    assert done["user_id"] == str(desk.person.id)
    assert await has_consent(desk, gateway)


async def test_a_stolen_state_does_not_count_in_another_browser(desk: Desk, browser: Browsers) -> None:
    gateway = await desk.custom()
    begun, own, thief = await desk.begin(gateway), browser(), browser()
    back = await desk.provider.consent(await desk.depart(begun, own))
    stolen = await thief.get(CALLBACK, params=back)
    assert stolen.status_code == 400
    again = await thief.get(urlsplit(begun["authorization_url"]).path, params={"state": begun["state"]})
    assert again.status_code == 400
    assert not await has_consent(desk, gateway)
    assert (await own.get(CALLBACK, params=back)).status_code == 200  # its owner is not kept from it


async def test_a_return_counts_once(desk: Desk, browser: Browsers) -> None:
    gateway = await desk.custom()
    begun, window = await desk.begin(gateway), browser()
    back = await desk.provider.consent(await desk.depart(begun, window))
    assert (await window.get(CALLBACK, params=back)).status_code == 200
    asked = len(await desk.peer.requests("/oauth/api/callback"))
    assert (await window.get(CALLBACK, params=back)).status_code == 400
    await desk.call("POST", "/connectors/oauth/callback", 400, json={"code": back["code"], "state": back["state"]})
    assert len(await desk.peer.requests("/oauth/api/callback")) == asked


async def test_a_code_that_was_used_is_refused_under_another_state(desk: Desk, browser: Browsers) -> None:
    gateway = await desk.custom()
    first, window = await desk.begin(gateway), browser()
    back = await desk.provider.consent(await desk.depart(first, window))
    assert (await window.get(CALLBACK, params=back)).status_code == 200
    await desk.call("DELETE", f"/connectors/{gateway['gateway_id']}/oauth/token")
    second = await desk.begin(gateway)
    await desk.depart(second, window)
    replayed = await window.get(CALLBACK, params={"code": back["code"], "state": second["state"]})
    assert replayed.status_code == 400
    assert not await has_consent(desk, gateway)


async def test_another_persons_return_does_not_count(desk: Desk, browser: Browsers, cast: Cast) -> None:
    gateway = await desk.custom()
    begun = await desk.begin(gateway)
    back = await desk.provider.consent(await desk.depart(begun, browser()))
    body = {"code": back["code"], "state": back["state"]}
    for other in (cast.admin, cast.other_admin):
        await desk.of(other).call("POST", "/connectors/oauth/callback", 400, json=body)
    assert not await has_consent(desk, gateway)
    assert not await has_consent(desk.of(cast.admin), gateway)


async def test_a_return_to_another_session_of_the_same_person_does_not_count(
    desk: Desk, browser: Browsers, client: httpx.AsyncClient
) -> None:
    gateway = await desk.custom()
    begun = await desk.begin(gateway)
    back = await desk.provider.consent(await desk.depart(begun, browser()))
    login = {"email": desk.person.email, "password": PASSWORD}
    tokens = (await client.post("/auth/login", json=login)).json()["token"]
    elsewhere = desk.of(replace(desk.person, tokens=tokens))
    body = {"code": back["code"], "state": back["state"]}
    await elsewhere.call("POST", "/connectors/oauth/callback", 400, json=body)
    assert not await has_consent(desk, gateway)


@pytest.mark.parametrize(
    ("address", "state"),
    [
        ("https://evil.example/auth", STATE),
        ("{base}/elsewhere", STATE),
        ("{base}/auth", STATE[::-1]),
        ("{base}/auth", None),
        ("javascript:alert(1)", STATE),
    ],
)
async def test_nobody_is_sent_to_an_authorization_server_that_the_connector_does_not_have(
    desk: Desk, database: Database, address: str, state: str | None
) -> None:
    gateway = await desk.custom()
    async with database.read() as session:
        foundry_id = await session.scalar(select(ConnectorGateway.foundry_id))
    assert foundry_id is not None
    query = urlencode({"state": state} if state else {})
    url = f"{address.format(base=desk.provider.base)}?{query}"
    begun = {"authorization_url": url, "state": STATE}
    await desk.peer.does_wrong(foundry_id, status=200, answer=begun, times=1)
    refused = await desk.begin(gateway, 502)
    assert "authorization server" in refused["message"]


async def test_a_state_that_nobody_began_with_and_a_refusal_do_not_count(desk: Desk, browser: Browsers) -> None:
    window = browser()
    assert (await window.get(CALLBACK, params={"code": "x", "state": "x" * 43})).status_code == 400
    begun = await desk.begin(await desk.custom())
    await desk.depart(begun, window)
    denied = await window.get(CALLBACK, params={"error": "access_denied", "state": begun["state"]})
    assert denied.status_code == 400
    assert "No consent" in denied.json()["message"]


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/steal",
        "http://frontend.evil.example",
        "//evil.example",
        "javascript:alert(1)",
        "http://localhost:3000@evil.example/",
        "http://localhost:3000\\@evil.example/",
    ],
)
async def test_the_way_back_is_to_a_frontend(desk: Desk, url: str) -> None:
    gateway = await desk.custom()
    refused = await desk.begin(gateway, 422, return_url=url)
    assert refused["param"] == "return_url"
    await desk.custom(422, credentials=desk.provider.credentials(redirect_uri=url))


async def test_people_withdraw_their_own_consent_and_managers_that_of_others(
    desk: Desk, browser: Browsers, cast: Cast
) -> None:
    gateway = await desk.custom()
    window = browser()
    back = await desk.provider.consent(await desk.depart(await desk.begin(gateway), window))
    assert (await window.get(CALLBACK, params=back)).status_code == 200
    path = f"/connectors/{gateway['gateway_id']}/oauth/token"
    await desk.of(cast.admin).call("DELETE", path)
    assert await has_consent(desk, gateway)
    await desk.of(cast.admin).call("DELETE", f"{path}/{cast.other_admin.email}", 404)
    await desk.of(cast.admin).call("DELETE", f"{path}/{desk.person.email}")
    assert not await has_consent(desk, gateway)
