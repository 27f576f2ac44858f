"""Where the time of a request goes, layer by layer."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from io import BytesIO, TextIOWrapper
from typing import Any
from unittest.mock import patch

import httpx
from fastapi import FastAPI, routing
from pydantic import BaseModel
from starlette.responses import Response

from benchmarks.cases import Target
from budapp.auth.authentication import JwtAuthenticator
from budapp.commons import http
from budapp.commons.config import Settings
from budapp.commons.domain import components_of
from budapp.commons.logging import configure_logging
from budapp.commons.prepared import Prepared
from budapp.commons.reading import ReadPool
from budapp.commons.routing import RouteIndex
from budapp.main import create_app

_REQUESTS = 200
_LAYERS = ("matching", "access", "statement", "SQL", "validation", "serialisation", "log", "rest", "all")


class _Clock:
    """Adds up the time of each layer; of nested ones, each has its own part alone."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._inner = [0.0]

    def timed(self, layer: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any, **named: Any) -> Any:
            with self._counted(layer):
                return call(*arguments, **named)

        return run

    def timed_async(self, layer: str, call: Callable[..., Any]) -> Callable[..., Any]:
        async def run(*arguments: Any, **named: Any) -> Any:
            with self._counted(layer):
                return await call(*arguments, **named)

        return run

    @contextmanager
    def _counted(self, layer: str) -> Iterator[None]:
        started = time.perf_counter()
        self._inner.append(0.0)
        try:
            yield
        finally:
            spent = time.perf_counter() - started
            self.seconds[layer] += spent - self._inner.pop()
            self._inner[-1] += spent


async def profile(settings: Settings, targets: list[Target]) -> str:
    """Send each read some hundred times, one at a time within this process; return a table of microseconds."""
    app = create_app(settings)
    configure_logging("INFO", TextIOWrapper(BytesIO()))
    lines = await _lines(app, targets)
    await components_of(app).close()
    return "\n".join(lines)


async def _lines(app: FastAPI, targets: list[Target]) -> list[str]:
    head = f"{'microseconds of a request':32}" + "".join(f"{layer:>14}" for layer in _LAYERS)
    lines = [head]
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://benchmark.test") as client:
        for target in targets:
            if not target.case.posts:
                lines.append(await _line(app, client, target))
    return lines


async def _line(app: Any, client: httpx.AsyncClient, target: Target) -> str:
    request = client.build_request("GET", target.path, headers=target.headers)
    for _ in range(20):
        (await client.send(request)).raise_for_status()
    clock = _Clock()
    with _timing(clock):
        whole = clock.timed_async("rest", app.middleware_stack)
        timed = httpx.AsyncClient(transport=httpx.ASGITransport(_entered(app, whole)), base_url=client.base_url)
        async with timed:
            for _ in range(_REQUESTS):
                await timed.send(request)
    clock.seconds["all"] = sum(clock.seconds.values())
    cells = "".join(f"{clock.seconds[layer] / _REQUESTS * 1e6:14.0f}" for layer in _LAYERS)
    return f"{target.case.name:32}{cells}"


def _entered(app: Any, whole: Callable[..., Any]) -> Callable[..., Any]:
    async def enter(scope: Any, receive: Any, send: Any) -> None:
        await whole({**scope, "app": app}, receive, send)

    return enter


@contextmanager
def _timing(clock: _Clock) -> Iterator[None]:
    """Have the service's layers timed."""
    places: list[tuple[Any, str, str, bool]] = [
        (RouteIndex, "find", "matching", False),
        (JwtAuthenticator, "authenticate", "access", True),
        (Prepared, "rows", "statement", True),
        (ReadPool, "fetch", "SQL", True),
        (routing, "serialize_response", "serialisation", True),
        (Response, "render", "serialisation", False),
        (http._Exchange, "record", "log", False),
    ]
    with ExitStack() as patched:
        for owner, name, layer, is_async in places:
            call = getattr(owner, name)
            timed = clock.timed_async(layer, call) if is_async else clock.timed(layer, call)
            patched.enter_context(patch.object(owner, name, timed))
        validate = BaseModel.__dict__["model_validate"].__func__
        patched.enter_context(
            patch.object(BaseModel, "model_validate", classmethod(clock.timed("validation", validate)))
        )
        yield
