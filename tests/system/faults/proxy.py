"""A TCP proxy that fails on demand: cut, hanging, resetting, or slow."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Literal

Fault = Literal["cut", "hang", "reset", "slow"]
FAULTS: tuple[Fault, ...] = ("cut", "hang", "reset", "slow")

_SLOW_SECONDS = 0.3
_ABORT = struct.pack("ii", 1, 0)


class Proxy:
    """Carries connections to `host:port` from a port of its own.

    Cut: connections end and new ones are refused. Reset: they are aborted, new ones as soon as they are there. Hang:
    nothing arrives any more, and does later. Slow: each piece of data comes late.
    """

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._fault: Fault | None = None
        self._changed = asyncio.Event()
        self._open: set[asyncio.StreamWriter] = set()
        self._carrying: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.port = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Proxy"]:
        """Carry connections within the block."""
        await self._listen()
        try:
            yield self
        finally:
            await self._shut()

    @asynccontextmanager
    async def failing(self, fault: Fault) -> AsyncIterator[None]:
        """Fail within the block."""
        self._set(fault)
        if fault == "cut":
            await self._shut()
        elif fault == "reset":
            for writer in self._open:
                _abort(writer)
        try:
            yield
        finally:
            self._set(None)
            if fault == "cut":
                await self._listen()

    def _set(self, fault: Fault | None) -> None:
        self._fault = fault
        self._changed.set()
        self._changed = asyncio.Event()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _shut(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._open:
            writer.close()
        await asyncio.gather(*self._carrying)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._fault == "reset":
            return _abort(writer)
        carrying = asyncio.create_task(self._carry(reader, writer))
        self._carrying.add(carrying)
        carrying.add_done_callback(self._carrying.discard)
        return None

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            out_reader, out_writer = await asyncio.open_connection(*self._target)
            self._open |= {writer, out_writer}
            await asyncio.gather(self._pump(reader, out_writer), self._pump(out_reader, writer))
            self._open -= {writer, out_writer}

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await source.read(65536):
                while self._fault == "hang":
                    await self._changed.wait()
                if self._fault == "slow":
                    await asyncio.sleep(_SLOW_SECONDS)
                sink.write(data)
                await sink.drain()
        sink.close()


def _abort(writer: asyncio.StreamWriter) -> None:
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
    writer.transport.abort()
