"""Talking with a deployment: through the gateway where there is one, and straight to it elsewhere."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

from prometheus_client import Counter, Gauge, Histogram

from budapp.api_key_ops.secrets import lookup_hash
from budapp.commons.access import Caller
from budapp.commons.config import Settings
from budapp.commons.database import Database
from budapp.commons.errors import AppError, BadRequest, Conflict, Unavailable
from budapp.endpoint_ops.models import Endpoint, EndpointStatus
from budapp.gateway_ops.reservations import Reservation, Reservations, estimate
from budapp.integrations.inference import Inference, Measured, Refused, Stream, Target
from budapp.integrations.peers import Json
from budapp.playground_ops.crud import DeploymentCrud
from budapp.playground_ops.schemas import ChatRequest
from budapp.playground_ops.services import Playground

T = TypeVar("T")

FIRST_TOKEN = Histogram(
    "budapp_chat_first_token_seconds",
    "From a chat's request to the first token of its answer",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
TOKENS = Counter("budapp_chat_tokens", "Tokens of chats, as models count them", ["direction"])
ANSWERS = Counter("budapp_chat_answers", "Answers of chats, by how they ended", ["outcome"])
OPEN = Gauge("budapp_chat_open", "Answers of chats that are coming in now")

_SERVING = (EndpointStatus.RUNNING, EndpointStatus.UNHEALTHY)
_OPENING_SECONDS = 5.0
_AGAIN_SECONDS = 0.25
_MOST_TOKENS = 10_000


class Chats:
    """The chats of this process."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        inference: Inference,
        playground: Playground,
        reservations: Reservations,
    ) -> None:
        self._reservations = reservations
        self._gateway = settings.bud_gateway_url
        self._database = database
        self._inference = inference
        self._playground = playground
        self._opened: set[str] = set()

    async def complete(self, caller: Caller, token: str, data: ChatRequest) -> Json:
        """Return the whole answer of a deployment that the caller may call.

        Raises:
            NotFound: no such deployment, or out of reach.
            BadRequest: it runs in a cloud, which only the gateway reaches; or it refuses the request.
            TooManyRequests: the caller's plan has too little left; the gateway says so of what it passes on.
            PeerFailed, Unavailable: it fails, is not ready or can't be reached.
        """
        target = await self._target(caller, token, data.model)
        measured = Measured(asyncio.get_running_loop().time())
        room = await self._room(caller, data)
        try:
            answer = await self._again(lambda: self._inference.complete(target, _body(data)))
            measured.take({"usage": answer.get("usage")})
        finally:
            await self._give_back(room, measured)
        _count(measured, "completed")
        return answer

    async def stream(self, caller: Caller, token: str, data: ChatRequest) -> AsyncIterator[bytes]:
        """Return the answer as server-sent events, with a comment at the end that says what was measured of it.

        A failure on the way is an event with an `error`. Where the client leaves, the model is left too. Errors until
        the answer begins are those of `complete`.
        """
        target = await self._target(caller, token, data.model)
        measured = Measured(asyncio.get_running_loop().time())
        room = await self._room(caller, data)
        try:
            found = await self._again(lambda: self._inference.open(target, _body(data)))
        except BaseException:
            await self._give_back(room, measured)
            raise
        return self._passed_on(found, measured, room, wants_usage=_wants_usage(data))

    async def _room(self, caller: Caller, data: ChatRequest) -> Reservation | None:
        """Take room in the caller's quota, where no gateway does."""
        if self._gateway is not None:
            return None
        return await self._reservations.take(caller.user_id, estimate(_body(data)["messages"], _most(data)))

    async def _give_back(self, room: Reservation | None, measured: Measured) -> None:
        if room is not None:
            used = (measured.input_tokens or 0) + (measured.output_tokens or measured.chunks)
            await asyncio.shield(self._reservations.settle(room, used))

    async def _passed_on(
        self, stream: Stream, measured: Measured, room: Reservation | None, *, wants_usage: bool
    ) -> AsyncIterator[bytes]:
        outcome = "left"
        OPEN.inc()
        try:
            async for event in stream.events(measured, wants_usage=wants_usage):
                yield event
            yield f": {json.dumps(measured.figures())}\n\n".encode()
            outcome = "completed"
        except AppError as error:
            outcome = "failed"
            problem = {"message": error.text, "type": "server_error", "code": error.kind()}
            yield f"data: {json.dumps({'error': problem})}\n\n".encode()
        finally:
            OPEN.dec()
            stream.close()
            _count(measured, outcome)
            await self._give_back(room, measured)  # last: where the client has left, awaiting ends this

    async def _target(self, caller: Caller, token: str, name: str) -> Target:
        async with self._database.read() as session:
            endpoint = await DeploymentCrud(session, caller).named(name)
        if endpoint.status not in _SERVING:
            raise Unavailable(f"The deployment is {endpoint.status}; try again later")
        if self._gateway is None:
            return _straight(endpoint)
        await self._open(caller, token)
        return Target(f"{self._gateway.rstrip('/')}/v1", {"Authorization": f"Bearer {token}"})

    async def _open(self, caller: Caller, token: str) -> None:
        """Have the gateway take the token, once for as long as this process remembers."""
        hashed = lookup_hash(token)
        if hashed in self._opened:
            return
        with suppress(Conflict):  # another request has just done it
            await self._playground.open(caller, token)
        if len(self._opened) >= _MOST_TOKENS:
            self._opened.clear()
        self._opened.add(hashed)

    async def _again(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask until the gateway knows the session, which it is told of a moment after that is opened."""
        clock = asyncio.get_running_loop()
        ends = clock.time() + _OPENING_SECONDS
        while True:
            try:
                return await ask()
            except Refused:
                if self._gateway is None or clock.time() > ends:
                    self._opened.clear()  # it may have been closed meanwhile: the next one opens it again
                    raise
            await asyncio.sleep(_AGAIN_SECONDS)


def _straight(endpoint: Endpoint) -> Target:
    if endpoint.cluster_id is None or not endpoint.url:
        raise BadRequest("Only the gateway reaches this deployment; set BUD_GATEWAY_URL", param="model")
    return Target(f"{endpoint.url.rstrip('/').removesuffix('/v1')}/v1")


def _body(data: ChatRequest) -> Json:
    """Return the request as it was, but that the model counts the tokens of a stream whether or not that was asked."""
    body: Json = data.model_dump(mode="json", exclude_unset=True)
    if data.stream:
        options = body.get("stream_options")
        body["stream_options"] = {**(options if isinstance(options, dict) else {}), "include_usage": True}
    return body


def _most(data: ChatRequest) -> int | None:
    """Return how many tokens the answer may have, as far as the request says."""
    more = data.model_extra or {}
    limits = (more.get(name) for name in ("max_completion_tokens", "max_tokens"))
    return next((one for one in limits if isinstance(one, int) and 0 < one < 2**31), None)


def _wants_usage(data: ChatRequest) -> bool:
    options = (data.model_extra or {}).get("stream_options")
    return isinstance(options, dict) and options.get("include_usage") is True


def _count(measured: Measured, outcome: str) -> None:
    ANSWERS.labels(outcome).inc()
    if measured.first_token is not None:
        FIRST_TOKEN.observe(measured.first_token - measured.started)
    for direction, tokens in (("input", measured.input_tokens), ("output", measured.output_tokens)):
        if tokens:
            TOKENS.labels(direction).inc(tokens)
