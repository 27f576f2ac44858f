"""Calls of services that only look at something: those that are alike and under way at the same moment are one."""

import asyncio
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from budapp.commons.errors import NotFound, PeerFailed
from budapp.commons.logging import get_logger
from budapp.integrations.dapr import DaprClient, PeerRefused
from budapp.integrations.peers import read

logger = get_logger(__name__)

T = TypeVar("T", bound=BaseModel)

SECONDS = 8.0
"""Less than a request may take, so that whoever asks hears which service is slow."""


class SharedCalls:
    """The calls of one process. What a service answers is given to all that wait for it; nobody changes it."""

    def __init__(self, dapr: DaprClient) -> None:
        self._dapr = dapr
        self._under_way: dict[object, asyncio.Task[Any]] = {}

    async def get(self, schema: type[T], peer: str, path: str, params: Mapping[str, Any] | None = None) -> T:
        """Return what the service answers, as the schema has it; odd members that need not be there are left out.

        Raises:
            NotFound: the service does not know what it is asked about.
            PeerFailed: it refused or failed, or its answer makes no sense.
            Unavailable: it can't be reached, or not in time.
        """
        try:
            answer = await self._shared(peer, path, params or {})
            found, odd = read(schema, answer)
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
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _shared(self, peer: str, path: str, params: Mapping[str, Any]) -> Any:
        key = (peer, path, tuple(sorted((name, str(value)) for name, value in params.items())))
        task = self._under_way.get(key)
        if task is None:
            task = asyncio.create_task(self._dapr.invoke(peer, "GET", path, params=params, timeout=SECONDS))
            self._under_way[key] = task
            task.add_done_callback(lambda done: self._finished(key, done))
        return await asyncio.shield(task)  # whoever stops waiting does not stop it for the others

    def _finished(self, key: object, task: asyncio.Task[Any]) -> None:
        self._under_way.pop(key, None)
        if not task.cancelled():
            task.exception()  # those who waited have heard of it
