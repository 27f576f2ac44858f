"""Asks the application things, as anybody, and looks at every answer."""

import copy
import json
import re
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

import httpx
from fastapi import FastAPI

from budapp.commons.config import Settings
from budapp.commons.database import Database
from budapp.commons.domain import components_of
from budapp.integrations.keycloak import Keycloak
from budapp.user_ops.callers import Callers
from tests.cast import PASSWORD, Person, Realms
from tests.surface.callers import CALLERS
from tests.surface.requests import REQUESTS, Filled, field_of, fill
from tests.surface.routes import Document, Location
from tests.surface.scene import Scene, Stage
from tests.surface.share import RequestContext, Things, Valid

_NOT_FOR_CLIENTS = re.compile(
    r"Traceback|File \\?\"|sqlalchemy|asyncpg|\bselect .+ from\b|insert into|update .+ set |"
    r"\b(uq|fk|ck|pk|ix)_[a-z]+_|0x[0-9a-f]{8,}|object at ",
    re.IGNORECASE,
)
_LONG_AGO = -86_400


@dataclass
class Surface:
    """The application with a scene, and who may ask it."""

    app: FastAPI
    client: httpx.AsyncClient
    realms: Realms
    stage: Stage
    scene: Scene
    document: Document

    @property
    def database(self) -> Database:
        database: Database = components_of(self.app)[Database]
        return database

    async def restore(self) -> None:
        """Have everything as it was; the ids may be new ones."""
        self.scene = await self.stage.restored()

    def person(self, caller: str) -> Person | None:
        """Return who it is that calls."""
        who = CALLERS[caller].person
        return who(self.scene) if who else None

    async def prepare(self, operation: str, caller: str, things: Things) -> Person | None:
        """Bring about what the operation's request needs, and return who sends it."""
        valid, person = REQUESTS.get(operation, Valid()), self.person(caller)
        if valid.prepare is not None:
            await valid.prepare(RequestContext(self.app, self.realms, self.scene, person, things))
        if valid.own_session and person is not None:
            realm = self.realms.clients[person.tenant_id == self.scene.cast.other_tenant_id]
            tokens = await components_of(self.app)[Keycloak].sign_in(realm, person.email, PASSWORD, remember=False)
            person = replace(person, tokens=tokens)
        return person

    async def ask(self, operation: str, caller: str, things: Things) -> httpx.Response:
        """Send the operation's valid request about the things."""
        person = await self.prepare(operation, caller, things)
        return await self.send(fill(operation, things), caller, person)

    async def send(self, request: Filled, caller: str, person: Person | None = None) -> httpx.Response:
        """Send the request, and look at the answer: no failure of ours, and nothing that is not for clients."""
        kind, person = CALLERS[caller], person or self.person(caller)
        headers = dict(person.headers) if person else {}
        if kind.sidecar:
            headers["dapr-api-token"] = components_of(self.app)[Settings].app_api_token.get_secret_value()
        if kind.expired:
            components_of(self.app)[Callers].forget_all()
            with patch("budapp.auth.tokens._CLOCK_SKEW_SECONDS", _LONG_AGO):
                return await self._send(request, headers)
        return await self._send(request, headers)

    async def _send(self, request: Filled, headers: dict[str, str]) -> httpx.Response:
        if request.files is not None and request.body is None:
            answer = await self.client.request(request.method, request.url, headers=headers, files=request.files)
            self.check(answer)
            return answer
        content = None if request.body is None else json.dumps(request.body)
        headers = headers if content is None else headers | {"content-type": "application/json"}
        answer = await self.client.request(request.method, request.url, headers=headers, content=content)
        self.check(answer)
        return answer

    def check(self, answer: httpx.Response) -> None:
        """Fail where an answer is a failure of ours, or says what is not for clients."""
        exchange = f"{answer.request.method} {answer.request.url} {answer.request.headers}: {answer.text}"
        assert answer.status_code < 500, exchange
        if answer.status_code < 400:
            return
        assert answer.json()["object"] == "error", exchange
        assert not _NOT_FOR_CLIENTS.search(answer.text), exchange
        for secret in self._secrets():
            assert secret not in answer.text, exchange

    def _secrets(self) -> list[str]:
        settings = components_of(self.app)[Settings]
        own = [settings.psql_password, settings.app_api_token]
        return [secret.get_secret_value() for secret in own] + [client.secret for client in self.realms.clients]


def with_value(request: Filled, location: Location, value: Any) -> Filled:
    """Return the request with the value at the location; what leads there is made where it is missing."""
    if location.part == "path":
        return replace(request, params=request.params | {str(location.keys[0]): value})
    if location.part == "query":
        return replace(request, query=request.query | {str(location.keys[0]): value})
    if request.files is not None and request.body is None and location.keys:
        return replace(request, files={**request.files, str(location.keys[0]): field_of(value)})
    return replace(request, body=_put(copy.deepcopy(request.body), location.keys, value))


def _put(target: Any, keys: tuple[str | int, ...], value: Any) -> Any:
    if not keys:
        return value
    key, *rest = keys
    if isinstance(key, int):
        elements = target if isinstance(target, list) and target else [None]
        return [_put(elements[0], tuple(rest), value), *elements[1:]]
    members = target if isinstance(target, dict) else {}
    return members | {key: _put(members.get(key), tuple(rest), value)}
