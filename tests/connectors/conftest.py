"""Connectors: the MCP Foundry's stand-in, and an authorization server of their own in the stack's Keycloak."""

import html
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI

from budapp.commons.config import Settings
from budapp.commons.domain import components_of
from budapp.integrations.keycloak import Keycloak
from tests.cast import Cast, Person, Realms
from tests.peers.conftest import StandIn, environment, stand_in
from tests.stack import http_client

__all__ = ["environment", "stand_in"]

Json = dict[str, Any]
SECRET = "what the connector proves itself with"
PASSWORD = "Connector-Horse-1"


@dataclass(frozen=True)
class Provider:
    """The realm at which people give their consent; `user` has an account there."""

    base: str
    client_id: str
    user: str

    def credentials(self, **changes: Any) -> Json:
        return {
            "grant_type": "authorization_code",
            "client_id": self.client_id,
            "client_secret": SECRET,
            "token_url": f"{self.base}/token",
            "authorization_url": f"{self.base}/auth",
            "scopes": ["openid", "email"],
            **changes,
        }

    async def consent(self, url: str) -> dict[str, str]:
        """Sign in where the address leads, as a browser does, and return what that is sent back with."""
        async with http_client(timeout=30, trust_env=False) as browser:
            page = await browser.get(url, follow_redirects=True)
            form = re.search(r'action="([^"]+)"', page.text)
            assert form, page.text[:500]
            body = {"username": self.user, "password": PASSWORD}
            # Browsers send secure cookies to this machine by http, too; httpx does not.
            cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in browser.cookies.jar)
            back = await browser.post(html.unescape(form[1]), data=body, headers={"cookie": cookies})
            assert back.status_code == 302, back.text[:500]
        return {name: values[0] for name, values in parse_qs(urlsplit(back.headers["location"]).query).items()}


@pytest.fixture(scope="session")
async def provider(app: FastAPI, settings: Settings, realms: Realms) -> AsyncIterator[Provider]:
    keycloak: Keycloak = components_of(app)[Keycloak]
    name = realms.clients[0].realm.removesuffix("a") + "tools"
    await keycloak.admin(settings.keycloak_realm_name).a_create_realm({"realm": name, "enabled": True})
    admin = keycloak.admin(name)
    client = {"clientId": "foundry", "secret": SECRET, "publicClient": False, "standardFlowEnabled": True}
    await admin.a_create_client({**client, "redirectUris": ["*"]})
    person = {"username": "ada", "email": "ada@tools.example", "emailVerified": True, "enabled": True}
    names = {"firstName": "Ada", "lastName": "Other"}
    password = {"type": "password", "value": PASSWORD, "temporary": False}
    await admin.a_create_user({**person, **names, "credentials": [password]})
    yield Provider(f"{keycloak.public_url}/realms/{name}/protocol/openid-connect", "foundry", "ada")
    await keycloak.delete_realm(name)


@dataclass
class Desk:
    """Somebody who sets connectors up, and uses them."""

    http: httpx.AsyncClient
    person: Person
    peer: StandIn
    provider: Provider

    def of(self, person: Person) -> "Desk":
        return Desk(self.http, person, self.peer, self.provider)

    async def call(self, method: str, path: str, status: int = 200, **sent: Any) -> Any:
        answer = await self.http.request(method, path, headers=self.person.headers, **sent)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def custom(self, status: int = 201, **changes: Any) -> Json:
        """Set an MCP server up that asks for consent."""
        body = {
            "name": f"Files {uuid4().hex[:8]}",
            "url": "http://127.0.0.1:9/files",
            "auth_type": "OAuth",
            "credentials": self.provider.credentials(),
            **changes,
        }
        answer: Json = await self.call("POST", "/connectors/custom", status, json=body)
        made: Json = answer.get("gateway", answer)
        return made

    async def begin(self, gateway: Json, status: int = 200, **query: Any) -> Json:
        path = f"/connectors/{gateway['gateway_id']}/oauth/initiate"
        begun: Json = await self.call("POST", path, status, params=query)
        return begun

    async def depart(self, begun: Json, browser: httpx.AsyncClient) -> str:
        """Leave by way of budapp, and return where the browser is sent."""
        parts = urlsplit(begun["authorization_url"])
        answer = await browser.get(f"{parts.path}?{parts.query}")
        assert answer.status_code == 302, answer.text
        return str(answer.headers["location"])


@pytest.fixture
async def desk(
    client: httpx.AsyncClient, cast: Cast, stand_in: Callable[[str], StandIn], provider: Provider
) -> AsyncIterator[Desk]:
    peer = stand_in("foundry")
    yield Desk(client, cast.manager, peer, provider)
    await peer.behave()


@pytest.fixture
async def browser(app: FastAPI) -> AsyncIterator[Callable[[], httpx.AsyncClient]]:
    """Opens a browser, with cookies of its own."""
    opened: list[httpx.AsyncClient] = []

    def new() -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app=app)
        opened.append(httpx.AsyncClient(transport=transport, base_url="http://budapp.test"))
        return opened[-1]

    yield new
    for one in opened:
        await one.aclose()
