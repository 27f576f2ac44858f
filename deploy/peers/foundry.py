"""The stand-in for the MCP Foundry: a registry, gateways, tools, and consents at a real authorization server."""

import base64
import hashlib
import json
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID, uuid4, uuid5

import httpx
from fastapi import APIRouter, Depends, FastAPI, Header, HTTPException, Response, status
from pydantic import BaseModel, Field

from peers.control import Control

Fields = dict[str, Any]
UserId = Annotated[str | None, Header(alias="X-User-ID")]
_NAMES = UUID("6f1d0f3e-5d0d-4c80-9a51-0a3b0d6a2f10")
_TEN_MINUTES = timedelta(minutes=10)

REGISTRY: list[Fields] = [
    {
        "id": "github",
        "name": "GitHub",
        "url": "http://127.0.0.1:9/mcp",
        "provider": "GitHub",
        "category": "Development",
        "description": "Repositories, issues and pull requests",
        "logo_url": "icons/github.svg",
        "documentation_url": "https://docs.github.com",
        "auth_type": "OAuth",
        "tags": ["code"],
    },
    {
        "id": "weather",
        "name": "Weather",
        "url": "http://127.0.0.1:9/weather",
        "provider": "Acme",
        "category": "Data",
        "description": "Forecasts",
        "logo_url": None,
        "documentation_url": None,
        "auth_type": "Open",
        "tags": [],
    },
    {
        "id": "tickets",
        "name": "Tickets",
        "url": "http://127.0.0.1:9/tickets",
        "provider": "Acme",
        "category": "Support",
        "description": "Tickets of customers",
        "logo_url": None,
        "documentation_url": None,
        "auth_type": "Headers",
        "tags": ["support"],
    },
]
_TOOLS = ("search", "read", "write")


class GatewayBody(BaseModel):
    """A gateway to make, or what of it is to change."""

    name: str | None = Field(default=None, max_length=255)
    url: str | None = None
    description: str | None = None
    transport: str | None = None
    visibility: str | None = None
    auth_type: str | None = None
    auth_headers: list[dict[str, str]] | None = None
    oauth_config: Fields | None = None
    passthrough_headers: list[str] | None = None
    tags: list[str] | None = None


class ServerBody(BaseModel):
    """Tools that are offered together."""

    name: str
    associated_tools: list[str] = []


class NewServer(BaseModel):
    """Tools to offer together."""

    server: ServerBody
    visibility: str = "private"


class Foundry:
    """What the stand-in keeps, in memory."""

    def __init__(self) -> None:
        self.gateways: dict[str, Fields] = {}
        self.servers: dict[str, Fields] = {}
        self.fetched: set[str] = set()
        self.lenient: set[str] = set()
        self._states: dict[str, Fields] = {}
        self._tokens: dict[tuple[str, str], Fields] = {}
        self.http = httpx.AsyncClient(timeout=10, trust_env=False)

    def gateway(self, gateway_id: str) -> Fields:
        """Return a gateway, or answer 404."""
        if gateway_id not in self.gateways:
            raise HTTPException(status.HTTP_404_NOT_FOUND, "Gateway not found")
        return self.gateways[gateway_id]

    def create(self, body: GatewayBody) -> Fields:
        """Keep a gateway."""
        if body.name is None or body.url is None:
            raise HTTPException(status.HTTP_422_UNPROCESSABLE_ENTITY, "A gateway has a name and a url")
        if any(one["name"] == body.name for one in self.gateways.values()):
            raise HTTPException(status.HTTP_409_CONFLICT, "Gateway already exists with this name")
        gateway_id, now = uuid4().hex, datetime.now(UTC)
        self.gateways[gateway_id] = {**body.model_dump(exclude_none=True), "id": gateway_id, "created_at": now}
        return self.shown(gateway_id)

    def shown(self, gateway_id: str) -> Fields:
        """Return a gateway without its credentials."""
        hidden = {"auth_headers", "oauth_config"}
        return {name: value for name, value in self.gateway(gateway_id).items() if name not in hidden}

    def tools(self, gateway_id: str) -> list[Fields]:
        """Return the tools of a gateway; where consent is needed, those that were fetched with it."""
        gateway = self.gateway(gateway_id)
        if gateway.get("auth_type") == "oauth" and gateway_id not in self.fetched | self.lenient:
            return []
        return [self._tool(gateway, name) for name in _TOOLS]

    def _tool(self, gateway: Fields, name: str) -> Fields:
        return {
            "id": uuid5(_NAMES, f"{gateway['id']} {name}").hex,
            "name": f"{gateway['name']}-{name}",
            "displayName": name.capitalize(),
            "originalName": name,
            "description": f"Have {gateway['name']} {name}",
            "integrationType": "MCP",
            "gatewayId": gateway["id"],
            "inputSchema": {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]},
        }

    def tool(self, tool_id: str) -> Fields:
        """Return a tool, or answer 404."""
        for gateway in self.gateways.values():
            for name in _TOOLS:
                found = self._tool(gateway, name)
                if found["id"] == tool_id:
                    return found
        raise HTTPException(status.HTTP_404_NOT_FOUND, "Tool not found")

    def oauth(self, gateway_id: str) -> Fields:
        """Return how a gateway asks for consent, or answer 400."""
        found: Fields | None = self.gateway(gateway_id).get("oauth_config")
        if found is None:
            raise HTTPException(status.HTTP_400_BAD_REQUEST, "The gateway is not set up for OAuth")
        return found

    def initiate(self, gateway_id: str, user_id: str, email: str) -> Fields:
        """Begin a consent: authorization code with PKCE."""
        config, state, verifier = self.oauth(gateway_id), secrets.token_urlsafe(32), secrets.token_urlsafe(48)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
        begun = {"gateway_id": gateway_id, "user_id": user_id, "email": email, "verifier": verifier}
        self._states[state] = {**begun, "ends": datetime.now(UTC) + _TEN_MINUTES}
        query = {
            "response_type": "code",
            "client_id": config.get("client_id"),
            "redirect_uri": config.get("redirect_uri"),
            "scope": " ".join(config.get("scopes") or ["openid"]),
            "state": state,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        url = f"{config['authorization_url']}?{urlencode(query)}"
        return {"authorization_url": url, "state": state, "expires_in": 600, "gateway_id": gateway_id}

    def know_state(self, gateway_id: str, state: str) -> None:
        """Take a code for the state, as if a consent had begun."""
        begun = {"gateway_id": gateway_id, "user_id": "", "email": "", "verifier": ""}
        self._states[state] = {**begun, "ends": datetime.now(UTC) + _TEN_MINUTES}

    async def finish(self, code: str, state: str) -> Fields:
        """Trade a code for a token at the authorization server, once for each state; or answer 400."""
        begun = self._states.pop(state, None)
        if begun is None or begun["ends"] < datetime.now(UTC):
            raise HTTPException(status.HTTP_400_BAD_REQUEST, "The state is unknown or over")
        config = self.oauth(begun["gateway_id"])
        if begun["gateway_id"] in self.lenient:
            return {"success": True, "gateway_id": begun["gateway_id"], "user_id": begun["user_id"]}
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": config.get("redirect_uri"),
            "client_id": config.get("client_id"),
            "client_secret": config.get("client_secret"),
            "code_verifier": begun["verifier"],
        }
        answer = await self.http.post(config["token_url"], data=form)
        if not answer.is_success:
            raise HTTPException(status.HTTP_400_BAD_REQUEST, "The authorization server does not take the code")
        told = answer.json()
        ends = datetime.now(UTC) + timedelta(seconds=int(told.get("expires_in", 300)))
        kept = {"access_token": told["access_token"], "expires_at": ends, "scopes": told.get("scope", "").split()}
        kept["email"] = begun["email"]
        self._tokens[begun["gateway_id"], begun["user_id"]] = kept
        return {"success": True, "gateway_id": begun["gateway_id"], "user_id": begun["user_id"], "expires_at": ends}

    def token(self, gateway_id: str, user_id: str) -> Fields:
        """Return somebody's token for a gateway, or answer 404."""
        self.gateway(gateway_id)
        if (gateway_id, user_id) not in self._tokens:
            raise HTTPException(status.HTTP_404_NOT_FOUND, "No token")
        return self._tokens[gateway_id, user_id]

    def forget_token(self, gateway_id: str, user_id: str) -> None:
        """Forget somebody's token, or answer 404."""
        self.token(gateway_id, user_id)
        del self._tokens[gateway_id, user_id]

    def forget_token_of(self, gateway_id: str, email: str) -> None:
        """Forget the token of whoever has this e-mail, or answer 404."""
        self.gateway(gateway_id)
        found = [key for key, token in self._tokens.items() if key[0] == gateway_id and token["email"] == email]
        if not found:
            raise HTTPException(status.HTTP_404_NOT_FOUND, "No token")
        for key in found:
            del self._tokens[key]

    async def fetch(self, gateway_id: str, user_id: str) -> int:
        """Look the tools of a gateway up, with a token that the authorization server still takes; or answer 400."""
        config = self.oauth(gateway_id)
        if gateway_id in self.lenient:
            return len(_TOOLS)
        if (gateway_id, user_id) not in self._tokens:
            raise HTTPException(status.HTTP_400_BAD_REQUEST, "No consent was given yet")
        token = self._tokens[gateway_id, user_id]["access_token"]
        about = config["token_url"].removesuffix("/token") + "/userinfo"
        answer = await self.http.get(about, headers={"Authorization": f"Bearer {token}"})
        if answer.status_code in {401, 403}:
            raise HTTPException(status.HTTP_400_BAD_REQUEST, "The consent is over; give it again")
        self.fetched.add(gateway_id)
        return len(_TOOLS)


def _signed_in(authorization: Annotated[str, Header()] = "") -> None:
    if not authorization.startswith("Bearer ") or len(authorization) < 20:
        raise HTTPException(status.HTTP_401_UNAUTHORIZED, "Not signed in")


def _email(authorization: Annotated[str, Header()] = "") -> str:
    """Return the e-mail that the access token names; who sent it is not for the stand-in to find out."""
    try:
        claims = authorization.split(".")[1]
        return str(json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4))).get("email", ""))
    except (IndexError, ValueError):
        return ""


Email = Annotated[str, Depends(_email)]


def _gateway_routes(foundry: Foundry) -> APIRouter:
    routes = APIRouter(tags=["gateways"], dependencies=[Depends(_signed_in)])

    @routes.get("/admin/mcp-registry/servers")
    async def list_registry() -> Fields:
        return {"servers": REGISTRY, "total": len(REGISTRY)}

    @routes.get("/gateways")
    async def list_gateways() -> list[Fields]:
        return [foundry.shown(gateway_id) for gateway_id in foundry.gateways]

    @routes.post("/gateways")
    async def create_gateway(body: GatewayBody) -> Fields:
        return foundry.create(body)

    @routes.get("/gateways/{gateway_id}")
    async def get_gateway(gateway_id: str) -> Fields:
        return foundry.shown(gateway_id)

    @routes.put("/gateways/{gateway_id}")
    async def update_gateway(gateway_id: str, body: GatewayBody) -> Fields:
        foundry.gateway(gateway_id).update(body.model_dump(exclude_unset=True))
        return foundry.shown(gateway_id)

    @routes.delete("/gateways/{gateway_id}")
    async def delete_gateway(gateway_id: str) -> Fields:
        foundry.gateway(gateway_id)
        del foundry.gateways[gateway_id]
        return {"status": "success"}

    @routes.get("/tools")
    async def list_tools(gateway_id: str | None = None, limit: int = 50) -> list[Fields]:
        wanted = [gateway_id] if gateway_id is not None else list(foundry.gateways)
        found = [tool for one in wanted for tool in foundry.tools(one)]
        return found[:limit] if limit else found

    @routes.get("/tools/{tool_id}")
    async def get_tool(tool_id: str) -> Fields:
        return foundry.tool(tool_id)

    @routes.get("/servers")
    async def list_servers() -> list[Fields]:
        return list(foundry.servers.values())

    @routes.post("/servers", status_code=201)
    async def create_server(body: NewServer) -> Fields:
        server_id = uuid4().hex
        foundry.servers[server_id] = {"id": server_id, **body.server.model_dump()}
        return foundry.servers[server_id]

    @routes.put("/servers/{server_id}")
    async def update_server(server_id: str, body: ServerBody) -> Fields:
        if server_id not in foundry.servers:
            raise HTTPException(status.HTTP_404_NOT_FOUND, "Server not found")
        foundry.servers[server_id].update(body.model_dump())
        return foundry.servers[server_id]

    @routes.delete("/servers/{server_id}")
    async def delete_server(server_id: str) -> Fields:
        if foundry.servers.pop(server_id, None) is None:
            raise HTTPException(status.HTTP_404_NOT_FOUND, "Server not found")
        return {"status": "success"}

    return routes


def _oauth_routes(foundry: Foundry) -> APIRouter:
    routes = APIRouter(prefix="/oauth", tags=["oauth"], dependencies=[Depends(_signed_in)])

    @routes.post("/api/initiate")
    async def initiate(gateway_id: str, email: Email, user_id: UserId = None) -> Fields:
        return foundry.initiate(gateway_id, user_id or "", email)

    @routes.post("/api/callback")
    async def callback(code: str, state: str) -> Fields:
        return await foundry.finish(code, state)

    @routes.get("/status/{gateway_id}")
    async def get_status(gateway_id: str) -> Fields:
        config = foundry.oauth(gateway_id)
        known = ("grant_type", "client_id", "scopes", "authorization_url", "redirect_uri")
        return {"oauth_enabled": True, **{name: config[name] for name in known if name in config}}

    @routes.post("/fetch-tools/{gateway_id}")
    async def fetch_tools(gateway_id: str, user_id: UserId = None) -> Fields:
        count = await foundry.fetch(gateway_id, user_id or "")
        return {"success": True, "message": f"{count} tools found"}

    @routes.get("/api/tokens/{gateway_id}")
    async def get_token(gateway_id: str, user_id: UserId = None) -> Fields:
        token = foundry.token(gateway_id, user_id or "")
        return {"connected": True, "expires_at": token["expires_at"], "scopes": token["scopes"]}

    @routes.delete("/api/tokens/{gateway_id}")
    async def delete_token(gateway_id: str, user_id: UserId = None) -> Response:
        foundry.forget_token(gateway_id, user_id or "")
        return Response(status_code=204)

    @routes.delete("/api/tokens/{gateway_id}/{email}")
    async def delete_token_of(gateway_id: str, email: str) -> Response:
        foundry.forget_token_of(gateway_id, email)
        return Response(status_code=204)

    return routes


def router(_control: Control) -> APIRouter:
    """Return the routes of the contract, and one that makes a gateway known."""
    foundry = Foundry()

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        await foundry.http.aclose()

    routes = APIRouter(lifespan=lifespan)
    routes.include_router(_gateway_routes(foundry))
    routes.include_router(_oauth_routes(foundry))

    @routes.put("/control/gateways/{gateway_id}", tags=["control"])
    async def know(gateway_id: str, body: GatewayBody, state: str | None = None) -> Fields:
        """Make a gateway known which asks nobody's consent; with a state, it takes any code for that."""
        foundry.lenient.add(gateway_id)
        if state is not None:
            foundry.know_state(gateway_id, state)
        about = {**body.model_dump(exclude_none=True), "id": gateway_id, "created_at": datetime.now(UTC)}
        foundry.gateways[gateway_id] = about
        return foundry.shown(gateway_id)

    return routes
