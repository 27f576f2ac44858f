"""`python -m benchmarks.routes`: whether 500 routes are as fast as those that are there.

Both applications are in this process and asked in turns, so that the machine's moods meet both alike.
"""

import asyncio
import statistics
import sys
import time
from typing import Any

from fastapi import APIRouter, FastAPI

from budapp.commons.access import api_routes, public
from budapp.commons.domain import components_of
from budapp.commons.routing import RouteIndex
from budapp.main import create_app

_ROUTES = 500
_ROUNDS = 50
_REQUESTS = 50
_MOST = 1.03


async def main() -> int:
    """Print the median of the ratios of time; the exit status says whether it is small enough."""
    narrow, wide = create_app(), create_app()
    _widen(wide)
    ratios = []
    for _ in range(_ROUNDS):
        seconds = [await _seconds(app) for app in (narrow, wide, wide, narrow)]
        ratios.append((seconds[1] + seconds[2]) / (seconds[0] + seconds[3]))
    found = statistics.median(ratios)
    print(f"{len(api_routes(wide))} routes take {found:.3f} of the time of {len(api_routes(narrow))}")
    for app in (narrow, wide):
        await components_of(app).close()
    return 0 if found <= _MOST else 1


def _widen(app: FastAPI) -> None:
    """Put more routes before the application's own, in routers as domains have them."""
    missing = _ROUTES - len(api_routes(app))
    own = list(app.router.routes)
    app.router.routes.clear()
    for number in range(-(-missing // 10)):
        router = APIRouter(prefix=f"/things{number}", dependencies=[public])
        for part in ("/", "/{id}", "/tags", "/{id}/users", "/{id}/parts"):
            for method in ("GET", "POST"):
                router.add_api_route(part, _nothing, methods=[method])
        app.include_router(router)
    app.router.routes.extend(own)
    RouteIndex.install(app)


async def _nothing() -> None: ...


async def _seconds(app: FastAPI) -> float:
    """Return what so many small requests take."""

    async def receive() -> dict[str, str]:
        return {"type": "http.request"}

    async def send(_message: object) -> None: ...

    scope: dict[str, Any] = {
        "type": "http",
        "method": "GET",
        "path": "/livez",
        "headers": [],
        "query_string": b"",
        "client": None,
    }
    started = time.perf_counter()
    for _ in range(_REQUESTS):
        await app(dict(scope), receive, send)
    return time.perf_counter() - started


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
