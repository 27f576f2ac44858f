"""A company's identity provider (a Keycloak realm of its own), and the service where a browser reaches it."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from budapp.commons.config import Settings
from budapp.commons.domain import components_of
from budapp.integrations.keycloak import Keycloak
from budapp.main import create_app
from tests.cast import Cast, Realms
from tests.oauth.browser import Browser, browser
from tests.stack import http_client

COMPANY_PASSWORD = "Company-Horse-1"
CLIENT_SECRET = "the company's secret"


@dataclass(frozen=True)
class Company:
    """Where the company's people sign in; `realm` is the one that is allowed to ask it."""

    name: str
    realm: str
    keycloak: Keycloak = field(repr=False)

    @property
    def config_data(self) -> dict[str, Any]:
        issuer = f"{self.keycloak.public_url}/realms/{self.name}"
        base = f"{issuer}/protocol/openid-connect"
        return {
            "issuer": issuer,
            "authorizationUrl": f"{base}/auth",
            "tokenUrl": f"{base}/token",
            "jwksUrl": f"{base}/certs",
            "userInfoUrl": f"{base}/userinfo",
        }

    async def employ(self, email: str, *, verified: bool = True) -> None:
        """Give somebody an account at the company."""
        await self.keycloak.admin(self.name).a_create_user(
            {
                "username": email,
                "email": email,
                "emailVerified": verified,
                "enabled": True,
                "firstName": "Ann",
                "lastName": "Other",
                "credentials": [{"type": "password", "value": COMPANY_PASSWORD, "temporary": False}],
            }
        )


@pytest.fixture(scope="session")
async def company(app: FastAPI, settings: Settings, realms: Realms) -> AsyncIterator[Company]:
    keycloak: Keycloak = components_of(app)[Keycloak]
    realm = realms.clients[0].realm
    company = Company(realm.removesuffix("a") + "company", realm, keycloak)
    await keycloak.admin(settings.keycloak_realm_name).a_create_realm({"realm": company.name, "enabled": True})
    await keycloak.admin(company.name).a_create_client(
        {
            "clientId": "platform",
            "secret": CLIENT_SECRET,
            "publicClient": False,
            "standardFlowEnabled": True,
            "redirectUris": [f"{keycloak.public_url}/realms/{realm}/broker/oidc/endpoint"],
        }
    )
    yield company
    await keycloak.delete_realm(company.name)


@dataclass(frozen=True)
class Site:
    """The service, served on a port; what the browser returns to is its own /livez."""

    app: FastAPI
    base: str
    http: httpx.AsyncClient

    @property
    def frontend(self) -> str:
        return f"{self.base}/livez"

    async def configure(self, company: Company, headers: dict[str, str], **changes: Any) -> httpx.Response:
        more = changes.pop("configData", {})
        body = {
            "provider": "oidc",
            "clientId": "platform",
            "clientSecret": CLIENT_SECRET,
            "allowedDomains": ["corp.example"],
            "autoCreateUsers": True,
            "configData": company.config_data | more,
            **changes,
        }
        return await self.http.post("/admin/oauth/configure", json=body, headers=headers)

    async def start(self, cast: Cast, **changes: Any) -> dict[str, Any]:
        body = {"provider": "oidc", "tenantId": str(cast.tenant_id), "redirectUri": self.frontend, **changes}
        answer = await self.http.post("/oauth/login", json=body)
        assert answer.status_code == 200, answer.text
        result: dict[str, Any] = answer.json()["result"]
        return result

    async def visit(
        self,
        url: str,
        email: str,
        *,
        account_password: str | None = None,
        meanwhile: Callable[[], Coroutine[Any, Any, None]] | None = None,
    ) -> dict[str, str]:
        """Sign in at the company in a new browser, and return the query with which the browser comes back.

        Args:
            url: where the browser begins.
            email: who signs in at the company.
            account_password: with which they prove that the account here is theirs, if they are asked.
            meanwhile: what is done once the browser has left, and before they sign in.
        """
        loop = asyncio.get_running_loop()

        def drive() -> str:
            with browser() as window:
                window.go(url)
                if meanwhile is not None:
                    asyncio.run_coroutine_threadsafe(meanwhile(), loop).result(30)
                _sign_in(window, email, account_password)
                return window.arrive(self.base)

        back = await asyncio.to_thread(drive)
        return {name: values[0] for name, values in parse_qs(urlsplit(back).query).items()}

    async def get_stuck(self, url: str, email: str, says: str, *, account_password: str | None = None) -> None:
        """Sign in as in `visit`, and wait until Keycloak's page says so in place of sending the browser back."""

        def drive() -> None:
            with browser() as window:
                window.go(url)
                _sign_in(window, email, account_password)
                window.read(says)
                assert not window.url.startswith(self.base), window.url

        await asyncio.to_thread(drive)

    async def exchange(self, token: str) -> httpx.Response:
        return await self.http.post("/auth/token/exchange", json={"exchange_token": token})


def _sign_in(window: Browser, email: str, account_password: str | None) -> None:
    window.sign_in(COMPANY_PASSWORD, email)
    if account_password is not None:
        window.click("linkAccount")
        window.sign_in(account_password)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@pytest.fixture(scope="session")
async def site(settings: Settings, migrated: None) -> AsyncIterator[Site]:
    port = _free_port()
    base = f"http://127.0.0.1:{port}"
    changes = {
        "public_url": base,
        "sso_return_origins": [base],
        "frontend_url": base,
        "outgoing_networks": ["127.0.0.0/8", "::1/128"],
    }
    app = create_app(settings.model_copy(update=changes))
    server = uvicorn.Server(uvicorn.Config(app, port=port, lifespan="off", log_config=None))
    serving = asyncio.create_task(server.serve())
    async with http_client(base, timeout=60) as http:
        while not server.started:  # noqa: ASYNC110 - uvicorn tells nobody
            await asyncio.sleep(0.05)
        yield Site(app, base, http)
    server.should_exit = True
    await serving
    await components_of(app).close()
