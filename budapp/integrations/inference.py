"""Deployed models, and the gateway before them: OpenAI-compatible servers that are passed on as they answer."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector

from budapp.commons.errors import AppError, BadRequest, NotFound, PeerFailed, TooManyRequests
from budapp.commons.logging import get_logger
from budapp.commons.outages import outages, unavailable
from budapp.integrations.peers import Json

logger = get_logger(__name__)

MODEL = "model"
"""What an outage of a deployment is counted as, and one of the gateway likewise."""
CONNECT_SECONDS = 5.0
SILENCE_SECONDS = 120.0
KEEP_ALIVE_SECONDS = 5.0
_CONNECTIONS = 1_000
_LINE_BYTES = 2**20
_ANSWER_BYTES = 16 * 2**20
_ERROR_BYTES = 64 * 2**10
_DONE = b"[DONE]"


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes: the address up to `/chat/completions`, and what opens it."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


class Refused(PeerFailed):
    """The model's server does not take what opens it."""

    message = "The gateway does not accept your session yet; try again in a moment"


@dataclass(slots=True)
class Measured:
    """What was seen of an answer: seconds since the request was sent, and tokens as the server counts them."""

    started: float
    first_token: float | None = None
    ended: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    chunks: int = 0
    whole: bool = False

    def figures(self) -> Json:
        """Return it in the words of clients, times in milliseconds."""
        ended = self.ended if self.ended is not None else asyncio.get_running_loop().time()
        took = ended - self.started
        first = None if self.first_token is None else self.first_token - self.started
        tokens = self.output_tokens if self.output_tokens is not None else self.chunks
        after = took - first if first is not None else 0.0
        return {
            "ttft_ms": round(first * 1000, 1) if first is not None else None,
            "e2e_latency_ms": round(took * 1000, 1),
            "input_tokens": self.input_tokens,
            "output_tokens": tokens,
            "tokens_per_second": round((tokens - 1) / after, 1) if after > 0 and tokens > 1 else None,
        }

    def take(self, chunk: Any) -> None:
        """Note what a chunk of the answer says."""
        if not isinstance(chunk, dict):
            return
        usage = chunk.get("usage")
        if isinstance(usage, dict):
            self.input_tokens = _count(usage.get("prompt_tokens"))
            self.output_tokens = _count(usage.get("completion_tokens"))
        choices = chunk.get("choices")
        first = choices[0] if isinstance(choices, list) and choices else None
        delta = first.get("delta") if isinstance(first, dict) else None
        if isinstance(delta, dict) and any(delta.get(name) for name in ("content", "reasoning_content", "tool_calls")):
            self.chunks += 1
            if self.first_token is None:
                self.first_token = asyncio.get_running_loop().time()


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31 else None


class Inference:
    """The connections of this process to models' servers, made by the first call."""

    def __init__(self) -> None:
        self._session: ClientSession | None = None

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    async def complete(self, target: Target, body: Json) -> Json:
        """Return the whole answer.

        Raises:
            BadRequest, NotFound, TooManyRequests: what the server says of the request.
            Refused, PeerFailed: it refuses us, or its answer makes no sense.
            Unavailable: it can't be reached, is down, or falls silent.
        """
        response = await self._asked(target, body)
        try:
            content = await _read(response, _ANSWER_BYTES)
        finally:
            response.close()
        try:
            answer = json.loads(content)
        except ValueError as error:
            raise PeerFailed from error
        if not isinstance(answer, dict):
            raise PeerFailed
        return answer

    async def open(self, target: Target, body: Json) -> "Stream":
        """Begin an answer that comes in parts; whoever opens it closes it. Errors are those of `complete`."""
        return Stream(await self._asked(target, body))

    async def _asked(self, target: Target, body: Json) -> ClientResponse:
        try:
            response = await self._pool().post(
                f"{target.url}/chat/completions", json=body, headers=target.headers, allow_redirects=False
            )
        except (TimeoutError, ClientError, OSError) as error:
            raise unavailable(MODEL, "The deployment can't be reached; try again later", error) from error
        if response.status == 200:
            outages.answered(MODEL)
            return response
        try:
            raise await _refusal(response)
        finally:
            response.close()

    def _pool(self) -> ClientSession:
        if self._session is None:
            self._session = ClientSession(
                connector=TCPConnector(limit=_CONNECTIONS),
                cookie_jar=DummyCookieJar(),
                read_bufsize=_LINE_BYTES,
                timeout=ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=SILENCE_SECONDS),
            )
        return self._session


class Stream:
    """An answer in parts, as server-sent events. What the client does not read yet, the server is not asked for."""

    def __init__(self, response: ClientResponse) -> None:
        self._response = response

    def close(self) -> None:
        """Break off: the server sees the connection end, and stops."""
        self._response.close()

    async def events(self, measured: Measured, *, wants_usage: bool) -> AsyncIterator[bytes]:
        """Yield the events as they come, and comments while there are none; what is measured of them is noted.

        Raises:
            PeerFailed: the server breaks off, or what it sends is no stream of events.
        """
        try:
            async with aclosing(self._events()) as events:
                async for event in events:
                    if event is not None and not self._noted(event, measured, wants_usage=wants_usage):
                        continue
                    yield event if event is not None else b": waiting\n\n"
                    if measured.whole:
                        break
        except (TimeoutError, ClientError, OSError, ValueError) as error:
            raise PeerFailed("The model broke off its answer") from error
        measured.ended = asyncio.get_running_loop().time()
        if not measured.whole:
            raise PeerFailed("The model broke off its answer")

    def _noted(self, event: bytes, measured: Measured, *, wants_usage: bool) -> bool:
        """Note what an event says, and tell whether it is for the client."""
        for line in event.splitlines():
            if not line.startswith(b"data:"):
                continue
            data = line[5:].strip()
            if data == _DONE:
                measured.whole = True
                return True
            chunk = json.loads(data)
            measured.take(chunk)
            only_usage = isinstance(chunk, dict) and chunk.get("usage") is not None and not chunk.get("choices")
            return wants_usage or not only_usage
        return True

    async def _events(self) -> AsyncGenerator[bytes | None, None]:
        """Yield whole events; None where none comes for a while."""
        lines: list[bytes] = []
        reading: asyncio.Task[bytes] | None = None
        try:
            while True:
                reading = reading or asyncio.create_task(self._response.content.readline())
                done, _ = await asyncio.wait({reading}, timeout=KEEP_ALIVE_SECONDS)
                if not done:
                    yield None
                    continue
                line, reading = reading.result(), None
                if line.strip():
                    lines.append(line)
                    if sum(map(len, lines)) > _LINE_BYTES:
                        raise ValueError("the event is too long")
                elif lines:
                    yield b"".join(lines).rstrip(b"\r\n") + b"\n\n"
                    lines = []
                if not line:
                    return
        finally:
            if reading is not None:
                reading.cancel()


async def _read(response: ClientResponse, most: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    try:
        while part := await response.content.readany():
            parts.append(part)
            size += len(part)
            if size > most:
                raise PeerFailed
    except (TimeoutError, ClientError, OSError) as error:
        raise PeerFailed("The model broke off its answer") from error
    return b"".join(parts)


async def _refusal(response: ClientResponse) -> AppError:
    """Return what the server's refusal means to whoever asked."""
    message = _message(await _read(response, _ERROR_BYTES))
    logger.warning("peer_failed", peer=MODEL, status=response.status)
    if response.status in (401, 403):
        return Refused()
    if response.status == 404:
        return NotFound(message or "The model does not exist there", param="model")
    if response.status == 429:
        return TooManyRequests(_seconds(response.headers.get("retry-after")))
    if response.status == 503:
        return unavailable(MODEL, message or "The deployment is not ready; try again later", response.status)
    if 400 <= response.status < 500:
        return BadRequest(message or "The model refuses the request")
    return PeerFailed()


def _message(content: bytes) -> str | None:
    try:
        found = json.loads(content)["error"]["message"]
    except (ValueError, KeyError, TypeError):
        return None
    return found[:300] if isinstance(found, str) and found.isprintable() else None


def _seconds(value: str | None) -> int:
    return min(int(value), 3600) if value is not None and value.isascii() and value.isdigit() else 1
