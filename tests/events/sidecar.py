"""A real daprd in front of the application and of a peer that can be told to fail."""

import asyncio
import os
import shutil
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI
from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from budapp.commons.config import Settings
from budapp.integrations.dapr import DaprClient
from tests.stack import http_client
from tests.waiting import until

SIDECAR_TOKEN = "sidecar-token"

RESOURCES = """
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: {{name: {pubsub}}}
spec: {{type: pubsub.in-memory, version: v1, metadata: []}}
---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: {{name: {statestore}}}
spec: {{type: state.in-memory, version: v1, metadata: []}}
---
apiVersion: dapr.io/v2alpha1
kind: Subscription
metadata: {{name: dead-letters}}
spec: {{pubsubname: {pubsub}, topic: {dead_letter_topic}, routes: {{default: /dead-letters}}}}
"""

# In a file of its own: daprd reads only the first document of a file when it looks for policies.
RESILIENCY = """
apiVersion: dapr.io/v1alpha1
kind: Resiliency
metadata: {{name: redelivery}}
spec:
  policies:
    retries:
      redelivery: {{policy: constant, duration: 100ms, maxRetries: 3}}
  targets:
    components:
      {pubsub}:
        inbound: {{retry: redelivery}}
"""


@dataclass
class Call:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


@dataclass
class Peer:
    """Takes every call, and answers what it was told: by path, statuses in turn, then 200."""

    calls: list[Call] = field(default_factory=list)
    answers: dict[str, list[int | dict[str, Any]]] = field(default_factory=dict)
    delay: Callable[[Call], Awaitable[None]] | None = None

    def forget(self) -> None:
        self.calls.clear()
        self.answers.clear()
        self.delay = None

    def bodies(self, path: str) -> list[Any]:
        return [call.body for call in self.calls if call.path == path]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        raw = await request.body()
        path = request.url.path.lstrip("/")
        is_json = "json" in request.headers.get("content-type", "")
        body = await request.json() if raw and is_json else raw or None
        call = Call(request.method, path, dict(request.query_params), dict(request.headers), body)
        self.calls.append(call)
        if self.delay:
            await self.delay(call)
        answers = self.answers.get(path) or [200]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        response = JSONResponse(answer) if isinstance(answer, dict) else JSONResponse({"object": "info"}, answer)
        await response(scope, receive, send)


@dataclass
class Sidecar:
    peer: Peer
    dapr: DaprClient
    settings: Settings

    @property
    def peer_id(self) -> str:
        return self.settings.bud_notify_app_id


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def serve(app: ASGIApp) -> AsyncIterator[int]:
    """Serve the application in this process, and yield the port."""
    port = free_port()
    server = _Server(uvicorn.Config(app, port=port, lifespan="off", log_config=None, ws="none"))
    serving = asyncio.create_task(server.serve())

    async def started() -> bool:
        return server.started

    try:
        await until(started)
        yield port
    finally:
        server.should_exit = True
        await serving


def in_memory(settings: Settings) -> dict[str, str]:
    """Return components that keep what they hold in the sidecar, and a policy for events."""
    names = {
        "pubsub": settings.pubsub_name,
        "statestore": settings.statestore_name,
        "dead_letter_topic": settings.dead_letter_topic,
    }
    return {"resources": RESOURCES.format(**names), "resiliency": RESILIENCY.format(**names)}


def daprd_binary() -> str:
    found = os.environ.get("DAPRD") or shutil.which("daprd")
    assert found, "These tests need daprd: put it on the PATH, or its path into DAPRD"
    return found


class Daprd:
    """A daprd that can be stopped and started again at the same ports.

    Args:
        settings: name its components and topics.
        app_port: where its app listens.
        folder: where it finds its components.
        app_id: its app's id; that of budnotify unless given.
        resources: components, policies and subscriptions by the names of their files; in memory unless given.
    """

    def __init__(
        self,
        settings: Settings,
        app_port: int,
        folder: Path,
        *,
        app_id: str | None = None,
        resources: Mapping[str, str] | None = None,
    ) -> None:
        for name, text in (resources or in_memory(settings)).items():
            (folder / f"{name}.yaml").write_text(text)
        self.http_port, self.grpc_port = free_port(), free_port()
        self._flags = {
            "app-id": app_id or settings.bud_notify_app_id,
            "app-port": app_port,
            "dapr-http-port": self.http_port,
            "dapr-grpc-port": self.grpc_port,
            "dapr-internal-grpc-port": free_port(),
            "metrics-port": free_port(),
            "resources-path": folder,
            "dapr-listen-addresses": "127.0.0.1",
            "log-level": "error",
        }
        self._tokens = {"APP_API_TOKEN": settings.app_api_token.get_secret_value(), "DAPR_API_TOKEN": SIDECAR_TOKEN}
        self._process: asyncio.subprocess.Process | None = None

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def pid(self) -> int | None:
        """Its process, while it runs."""
        return self._process.pid if self._process else None

    def settings(self, settings: Settings) -> Settings:
        """Return the settings of an application whose sidecar this is."""
        update = {
            "dapr_base_url": self.base_url,
            "dapr_grpc_port": self.grpc_port,
            "dapr_api_token": SecretStr(SIDECAR_TOKEN),
        }
        return settings.model_copy(update=update)

    async def start(self, *, app_listens: bool = True) -> None:
        """Start daprd, and wait until it can be called; until its app can be called too, if that listens."""
        arguments = [part for name, value in self._flags.items() for part in (f"--{name}", str(value))]
        environment = {**os.environ, **self._tokens}
        self._process = await asyncio.create_subprocess_exec(daprd_binary(), *arguments, env=environment)
        await _until_healthy(f"{self.base_url}/v1.0/healthz{'' if app_listens else '/outbound'}")

    async def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            await self._process.wait()
            self._process = None


async def _until_healthy(url: str) -> None:
    async with asyncio.timeout(30), http_client(headers={"dapr-api-token": SIDECAR_TOKEN}) as http:
        while True:
            try:
                if (await http.get(url)).is_success:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.1)


@asynccontextmanager
async def run_sidecar(
    app: FastAPI, settings: Settings, folder: Path, resources: Mapping[str, str] | None = None
) -> AsyncIterator[Sidecar]:
    """Run daprd; it delivers events to the application, and calls of its own app id to the peer."""
    peer = Peer()

    async def either(scope: Scope, receive: Receive, send: Send) -> None:
        is_event = b"pubsubname" in dict(scope["headers"]) and scope["path"] == "/notifications"
        target = app if is_event or scope["path"].startswith("/dapr/") else peer
        await target(scope, receive, send)

    async with serve(either) as app_port:
        daprd = Daprd(settings, app_port, folder, resources=resources)
        ours = daprd.settings(settings)
        dapr = DaprClient(ours)
        try:
            await daprd.start()
            yield Sidecar(peer, dapr, ours)
        finally:
            await dapr.close()
            await daprd.kill()
