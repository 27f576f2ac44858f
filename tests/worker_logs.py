"""Reads a stream of server-sent events as it comes, from the application itself."""

import asyncio
import json
from typing import Any

from tests.workflows.conftest import Bench, Json


async def lines_of(bench: Bench, path: str, count: int) -> list[Json]:
    """Return so many events; the client goes away then, as a browser does that is closed."""
    found: list[Json] = []
    enough = asyncio.Event()
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode()) for name, value in bench.person.headers.items()],
        "client": ("127.0.0.1", 1),
        "server": ("budapp.test", 80),
    }
    asked = False

    async def receive() -> dict[str, Any]:
        nonlocal asked
        if not asked:
            asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await enough.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        for line in message.get("body", b"").decode().splitlines():
            if line.startswith("data: "):
                found.append(json.loads(line.removeprefix("data: ")))
        if len(found) >= count:
            enough.set()

    await asyncio.wait_for(bench.app(scope, receive, send), 20)
    return found
