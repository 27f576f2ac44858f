"""A client of server-sent events, over a plain socket: cheap enough to have hundreds of."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any

from tests.waiting import PATIENCE_SECONDS, until

OWN = ("ready", "reset", "token", "end")
"""The events that are about the stream itself."""


@dataclass
class Told:
    """One event."""

    type: str
    data: dict[str, Any]
    id: str | None

    @property
    def object_id(self) -> str:
        return str(self.data["object"]["id"])


@dataclass
class Listener:
    """An open stream: what came, and the last id."""

    status: int = 0
    last_id: str | None = None
    heartbeats: int = 0
    closed: bool = False
    events: list[Told] = field(default_factory=list)

    def of(self, *types: str) -> list[Told]:
        return [event for event in self.events if not types or event.type in types]

    @property
    def happened(self) -> list[Told]:
        """What came without what is about the stream itself."""
        return [event for event in self.events if event.type not in OWN]

    async def until(self, condition: Callable[["Listener"], Any], seconds: float = PATIENCE_SECONDS) -> None:
        async def holds() -> bool:
            return bool(condition(self))

        await until(holds, seconds, seen=lambda: self.events[-5:])

    def take(self, block: str) -> None:
        fields: dict[str, str] = {}
        for line in block.split("\n"):
            name, _, value = line.partition(":")
            fields[name] = value.removeprefix(" ")
        self.last_id = fields.get("id", self.last_id)
        if "data" in fields:
            self.events.append(Told(fields["event"], json.loads(fields["data"]), fields.get("id")))
        elif "" in fields:
            self.heartbeats += 1


@asynccontextmanager
async def listening(
    port: int, headers: dict[str, str], query: str = "", last_id: str | None = None, *, wait: bool = True
) -> AsyncIterator[Listener]:
    """Listen within the block; with `wait`, from when the stream says that it is ready, or refuses."""
    listener = Listener()
    reading = asyncio.create_task(_read(listener, port, headers, query, last_id))
    try:
        if wait:
            await listener.until(lambda found: found.of("ready", "reset") or found.closed, 30)
        yield listener
    finally:
        reading.cancel()
        with suppress(asyncio.CancelledError):
            await reading


@asynccontextmanager
async def following(ports: Sequence[int], headers: dict[str, str], query: str = "") -> AsyncIterator[Listener]:
    """Listen within the block as a browser does: who is cut off comes again with the last id, at the next port."""
    listener = Listener()

    async def follow() -> None:
        for port in cycle(ports):
            await _read(listener, port, headers, query, listener.last_id)
            await asyncio.sleep(0.2)

    following = asyncio.create_task(follow())
    try:
        await listener.until(lambda found: found.of("ready"), 60)
        yield listener
    finally:
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following


async def _read(listener: Listener, port: int, headers: dict[str, str], query: str, last_id: str | None) -> None:
    writer = None
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        sent = {"Host": "test", "Accept": "text/event-stream", **headers}
        if last_id is not None:
            sent["Last-Event-ID"] = last_id
        lines = [f"GET /events{query} HTTP/1.1", *(f"{name}: {value}" for name, value in sent.items()), "", ""]
        writer.write("\r\n".join(lines).encode())
        listener.status = int((await reader.readline()).split()[1])
        while (await reader.readline()).strip():
            pass
        if listener.status == 200:
            await _read_chunks(listener, reader)
    except (ConnectionError, asyncio.IncompleteReadError, IndexError, ValueError):
        pass
    finally:
        listener.closed = True
        if writer is not None:
            writer.close()


async def _read_chunks(listener: Listener, reader: asyncio.StreamReader) -> None:
    text = ""
    while size := int((await reader.readline()).strip() or b"0", 16):
        text += (await reader.readexactly(size + 2))[:-2].decode()
        while "\n\n" in text:
            block, _, text = text.partition("\n\n")
            listener.take(block)
