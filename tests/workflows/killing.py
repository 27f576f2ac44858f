"""Processes of budapp that are killed while a peer is at work."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from tests.peers.conftest import StandIn
from tests.replicas import Replica
from tests.waiting import until
from tests.workflows.conftest import Bench


async def killed_while_it_asks(
    bench: Bench, replica: Replica, path: str, contains: str, peer: StandIn | None = None, **body: Any
) -> None:
    """Post the step that triggers, and kill the process as soon as the peer has been asked.

    Args:
        bench: who posts.
        replica: the process.
        path: the route of the step.
        contains: a text in the request that the peer gets.
        peer: who is asked; budmodel unless given.
        body: the step as JSON, or `data` and `files` of a form.
    """
    begun = datetime.now(UTC)
    sent = body if "files" in body else {"json": body}
    post = asyncio.create_task(replica.http.post(path, headers=bench.person.headers, **sent))

    async def has_asked() -> bool:
        found = await (peer or bench.peer).requests(contains)
        asked = [datetime.fromisoformat(request["received_at"]) for request in found if request["method"] == "POST"]
        return any(moment > begun for moment in asked)

    await until(has_asked)
    replica.kill()
    with pytest.raises(httpx.TransportError):
        await post


async def end_leases(bench: Bench) -> None:
    """Have the leases of the killed process's attempts run out."""
    await bench.sql("update workflow_attempt set lease_expires_at = now() - interval '1 second'")
