"""Calls of services that only look at something: those that are alike and under way at the same moment are one."""

from collections.abc import Awaitable, Mapping
from functools import partial
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from budapp.commons.errors import NotFound, PeerFailed
from budapp.commons.in_flight import InFlight
from budapp.commons.logging import get_logger
from budapp.integrations.dapr import DaprClient, PeerRefused
from budapp.integrations.peers import Json, read

logger = get_logger(__name__)

T = TypeVar("T", bound=BaseModel)

SECONDS = 8.0
"""Less than a request may take, so that whoever asks hears which service is slow."""


class SharedCalls:
    """The calls of one process. What a service answers is given to all that wait for it; nobody changes it."""

    def __init__(self, dapr: DaprClient) -> None:
        self._dapr = dapr
        self._under_way: InFlight[object, Any] = InFlight()

    async def get(self, schema: type[T], peer: str, path: str, params: Mapping[str, Any] | None = None) -> T:
        """Return what the service answers, as the schema has it; odd members that need not be there are left out.

        Raises:
            NotFound: the service does not know what it is asked about.
            PeerFailed: it refused or failed, or its answer makes no sense.
            Unavailable: it can't be reached, or not in time.
        """
        return await self._read(schema, peer, path, self._shared(peer, path, params or {}))

    async def post(self, schema: type[T], peer: str, path: str, body: Json) -> T:
        """Do what `get` does for a question that is a body, and changes nothing."""
        ask = self._dapr.invoke(peer, "POST", path, json=body, timeout=SECONDS, idempotent=True)
        return await self._read(schema, peer, path, ask)

    async def _read(self, schema: type[T], peer: str, path: str, answering: Awaitable[Any]) -> T:
        try:
            found, odd = read(schema, await answering)
        except PeerRefused as error:
            if error.peer_status == 404:
                raise NotFound(f"{peer} knows nothing of this yet") from error
            raise
        except ValidationError as error:
            logger.warning("peer_failed", peer=peer, path=path, answer="malformed")
            raise PeerFailed from error
        if odd:
            logger.warning("peer_answer_odd", peer=peer, path=path, members=sorted(odd)[:10])
        return found

    async def stop(self) -> None:
        """End what is under way."""
        await self._under_way.stop()

    async def _shared(self, peer: str, path: str, params: Mapping[str, Any]) -> Any:
        key = (peer, path, tuple(sorted((name, str(value)) for name, value in params.items())))
        invoke = partial(self._dapr.invoke, peer, "GET", path, params=params, timeout=SECONDS)
        return await self._under_way.share(key, invoke)
