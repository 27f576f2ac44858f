"""What a worker writes, sent on as it is written: budcluster is asked time and again, and each line is sent once."""

import asyncio
import json
from collections.abc import AsyncIterator
from uuid import UUID

from budapp.commons.access import Caller
from budapp.commons.database import Database
from budapp.commons.errors import AppError
from budapp.endpoint_ops.access import reach_endpoint
from budapp.integrations.dapr import DaprClient
from budapp.worker_ops import services

_PAUSE_SECONDS = 2
_KEEP_ALIVE = ": nothing new\n\n"


async def follow(
    database: Database, caller: Caller, dapr: DaprClient, endpoint_id: UUID, worker_id: UUID, seconds: int
) -> AsyncIterator[str]:
    """Return the lines as server-sent events, for so many seconds; a failure is an `error` event.

    Raises:
        NotFound: no such endpoint or worker, or out of reach.
        Forbidden: the caller lacks endpoint:view in the endpoint's project.
        PeerFailed, Unavailable: budcluster.
    """
    async with database.read() as session:
        endpoint = await reach_endpoint(session, caller, endpoint_id)
    await services.worker_of(dapr, endpoint, worker_id)
    return _events(dapr, worker_id, seconds)


async def _events(dapr: DaprClient, worker_id: UUID, seconds: int) -> AsyncIterator[str]:
    clock = asyncio.get_running_loop()
    sent, ends = 0, clock.time() + seconds
    while True:
        try:
            lines = await services.logs_of(dapr, worker_id)
        except AppError as error:
            yield f"event: error\ndata: {json.dumps({'message': error.text})}\n\n"
            return
        sent = 0 if len(lines) < sent else sent  # the worker has started anew
        for line in lines[sent:]:
            yield f"data: {line.model_dump_json()}\n\n"
        if len(lines) == sent:
            yield _KEEP_ALIVE
        sent = len(lines)
        if clock.time() + _PAUSE_SECONDS > ends:
            return
        await asyncio.sleep(_PAUSE_SECONDS)
