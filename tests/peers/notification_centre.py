"""A user's notification centre, as the browser has it."""

import asyncio
import time
from typing import Any

import socketio

from tests.peers.conftest import Fields
from tests.stack import http_client

SECONDS = 10


class NotificationCentre:
    """A user's window: the calls of `@novu/client` 2.6 and the socket of `@novu/notification-center` 2.0."""

    def __init__(self, address: str, user_id: str) -> None:
        self.address, self.user_id, self.token = address, user_id, ""
        self.http = http_client(f"{address}/v1/widgets", timeout=SECONDS)
        self.socket = socketio.SimpleClient()

    async def open(self) -> "NotificationCentre":
        body = {"applicationIdentifier": "bud", "subscriberId": self.user_id, "hmacHash": None}
        answer = await self.http.post("/session/initialize", json=body)
        self.token = answer.json()["data"]["token"]
        self.http.headers["Authorization"] = f"Bearer {self.token}"
        await self.connect(self.token)
        return self

    async def connect(self, token: str) -> None:
        options = {"auth": {"token": token}, "transports": ["websocket"]}
        await asyncio.to_thread(self.socket.connect, self.address, **options)

    async def hears(self, name: str, seconds: float = SECONDS) -> Fields:
        """Returns what comes next under a name, or raises `TimeoutError`; nothing that comes later is lost by that."""
        ends = time.monotonic() + seconds
        while (left := ends - time.monotonic()) > 0:
            try:
                heard = await asyncio.to_thread(self.socket.receive, left)
            except socketio.exceptions.TimeoutError as error:
                raise TimeoutError from error
            if heard[0] == name:
                return dict(heard[1])
        raise TimeoutError

    async def get(self, path: str, **query: Any) -> Any:
        answer = await self.http.get(path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def close(self) -> None:
        await self.http.aclose()
        if self.socket.connected:
            await asyncio.to_thread(self.socket.disconnect)
