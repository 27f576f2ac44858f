"""Delivers what the outbox holds: at least once, and in order within each aggregate.

Any number of relays may run. A relay claims the oldest message of each aggregate for a while, lets go of the database,
delivers, and then deletes the message or sets its next attempt, provided that the claim is still its own. A message
that fails holds up its own aggregate only.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from opentelemetry.context import attach, detach
from opentelemetry.propagate import extract
from prometheus_client import Counter, Gauge

from budapp.commons.background import BackgroundTasks
from budapp.commons.backoff import pause_after
from budapp.commons.context import request_id
from budapp.commons.database import Database, WriteSession, now
from budapp.commons.encryption import DecryptionError
from budapp.commons.leases import Lease, from_now, lease_of
from budapp.commons.logging import get_logger
from budapp.commons.outages import dependency_of, log_failure
from budapp.commons.storable import error_text
from budapp.events import crud
from budapp.events.models import OutboxMessage
from budapp.events.outbox import open_payload, wakeups
from budapp.integrations.dapr import DaprClient, PeerRefused

logger = get_logger(__name__)

DELIVERY_SECONDS = 30
LEASE = timedelta(seconds=60)
MAX_ATTEMPTS = 400
"""About a day, at pauses of 225 seconds on average: an outage of the sidecar or of a peer must not lose messages."""
MAX_REFUSALS = 5
"""A peer that answers 4xx is given a few tries, for it may just be starting."""
MEASURE_SECONDS = 15
LAST_CLAIM_SECONDS = 5

DELIVERED = Counter("budapp_outbox_delivered", "Messages delivered", ["kind"])
FAILED = Counter("budapp_outbox_failed", "Failed deliveries that will be retried", ["kind"])
DEAD = Counter("budapp_outbox_dead", "Dead-lettered messages", ["kind"])
LAG = Gauge("budapp_outbox_lag_seconds", "Age in seconds of the oldest pending message")
WAITING = Gauge("budapp_outbox_waiting", "Pending messages")


@dataclass(frozen=True, slots=True)
class Claim:
    """A message that is one relay's to deliver, as long as the lease lasts."""

    lease: Lease
    aggregate: str
    kind: str
    target: str
    method: str | None
    path: str | None
    payload: Any = field(repr=False)
    undecryptable: bool
    request_id: str | None
    traceparent: str | None
    attempts: int


class Relay:
    """The background task that empties the outbox; `start` it with the process and `stop` it before the pools close.

    Args:
        database: where the outbox is.
        dapr: what delivers.
        concurrency: how many messages may be under way at once.
        poll_seconds: how long a message that another process left may lie unseen.
    """

    def __init__(self, database: Database, dapr: DaprClient, *, concurrency: int = 10, poll_seconds: float = 1) -> None:
        self._database = database
        self._dapr = dapr
        self._concurrency = concurrency
        self._poll_seconds = poll_seconds
        self._wakeup = asyncio.Event()
        self._stopping = False
        self._under_way: set[asyncio.Task[None]] = set()
        self._deliveries, self._measuring = BackgroundTasks(), BackgroundTasks()

    async def start(self) -> None:
        """Begin to deliver, in the background."""
        self._stopping = False
        wakeups.add(self._wakeup)
        self._deliveries.run(outbox=self._run)
        self._measuring.run(outbox_figures=self._keep_measuring)

    async def stop(self) -> None:
        """Take up nothing new, and wait for what is under way; `DELIVERY_SECONDS` at most."""
        self._stopping = True
        wakeups.discard(self._wakeup)
        self._wakeup.set()
        await self._measuring.stop()
        await self._deliveries.finish(LAST_CLAIM_SECONDS)
        await self._deliveries.stop()
        await asyncio.gather(*self._under_way)

    async def drain(self) -> int:
        """Deliver, one after the other, what is due now, and return how many attempts that took."""
        attempts = 0
        while claims := await self.claim(1):
            await self._process(claims[0])
            attempts += 1
        return attempts

    async def claim(self, limit: int) -> list[Claim]:
        """Take the oldest due message of up to `limit` aggregates; whoever holds them is given `LEASE` to settle."""
        async with self._database.write() as session:
            return [_claim_of(row, session) for row in await crud.claim_heads(session, limit, LEASE)]

    async def deliver(self, claim: Claim) -> None:
        """Send the message; raises whatever keeps it from arriving."""
        if claim.undecryptable:
            raise DecryptionError("the payload was sealed with a key that is gone")
        with _context_of(claim):
            async with asyncio.timeout(DELIVERY_SECONDS):
                await self._send(claim)

    async def settle(self, claim: Claim, error: BaseException | None = None) -> bool:
        """Delete the delivered message, or note the error; False where the claim had run out and another took over."""
        async with self._database.write() as session:
            if error is None:
                settled = await claim.lease.delete(session)
            else:
                settled = await claim.lease.settle(session, **_after_failure(claim, error))
        if settled:
            _count(claim, error)
        return settled

    async def _send(self, claim: Claim) -> None:
        if claim.kind == "publish":
            return await self._dapr.publish(claim.target, claim.payload, key=claim.aggregate)
        method = claim.method or "POST"
        try:
            # Tries of its own would only hold the aggregate: the relay comes back by itself.
            await self._dapr.invoke(
                claim.target, method, claim.path or "", claim.payload, timeout=DELIVERY_SECONDS, idempotent=False
            )
        except PeerRefused as error:
            if not (method == "DELETE" and error.peer_status == 404):
                raise

    async def _process(self, claim: Claim) -> None:
        failure: Exception | None = None
        try:
            await self.deliver(claim)
        except Exception as error:  # noqa: BLE001 - a boundary: whatever it was, it is noted and tried again
            failure = error
        try:
            await self.settle(claim, failure)
        except Exception as error:  # noqa: BLE001 - a boundary: another relay takes it up once the lease is over
            log_failure(logger, "outbox_not_settled", error, message_id=str(claim.lease.row_id))

    async def _run(self) -> None:
        while not self._stopping:
            self._wakeup.clear()
            for claim in await self._claim_what_fits():
                task = asyncio.create_task(self._process(claim))
                self._under_way.add(task)
                task.add_done_callback(self._finished)
            await self._pause()

    async def _claim_what_fits(self) -> list[Claim]:
        free = self._concurrency - len(self._under_way)
        return await self.claim(free) if free > 0 else []

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        self._wakeup.set()

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(self._poll_seconds):
                await self._wakeup.wait()
        except TimeoutError:
            pass

    async def _keep_measuring(self) -> None:
        while True:
            await self._measure()
            await asyncio.sleep(MEASURE_SECONDS)

    async def _measure(self) -> None:
        async with self._database.read() as session:
            count, oldest = await crud.waiting_messages(session)
        WAITING.set(count)
        LAG.set((now() - oldest).total_seconds() if oldest else 0)


def _claim_of(row: OutboxMessage, session: WriteSession) -> Claim:
    undecryptable = False
    payload = None
    try:
        payload = open_payload(row, session)
    except (DecryptionError, ValueError):
        undecryptable = True
    return Claim(
        lease=lease_of(row),
        aggregate=row.aggregate,
        kind=row.kind,
        target=row.target,
        method=row.method,
        path=row.path,
        payload=payload,
        undecryptable=undecryptable,
        request_id=row.request_id,
        traceparent=row.traceparent,
        attempts=row.attempts,
    )


@contextmanager
def _context_of(claim: Claim) -> Iterator[None]:
    """Let the delivery go under the request and the trace that the message came from."""
    trace = attach(extract({"traceparent": claim.traceparent} if claim.traceparent else {}))
    request = request_id.set(claim.request_id)
    try:
        yield
    finally:
        request_id.reset(request)
        detach(trace)


def _is_given_up(claim: Claim, error: BaseException | None) -> bool:
    limit = MAX_REFUSALS if isinstance(error, PeerRefused | DecryptionError) else MAX_ATTEMPTS
    return error is not None and claim.attempts >= limit


def _after_failure(claim: Claim, error: BaseException) -> dict[str, Any]:
    dead_at: datetime | None = now() if _is_given_up(claim, error) else None
    return {
        "last_error": error_text(error),
        "next_attempt_at": from_now(pause_after(claim.attempts)),
        "dead_at": dead_at,
    }


def _count(claim: Claim, error: BaseException | None) -> None:
    if error is None:
        DELIVERED.labels(claim.kind).inc()
        return
    given_up = _is_given_up(claim, error)
    (DEAD if given_up else FAILED).labels(claim.kind).inc()
    if not given_up and dependency_of(error) is not None:
        return
    log = logger.error if given_up else logger.warning
    log(
        "outbox_message_dead" if given_up else "outbox_delivery_failed",
        message_id=str(claim.lease.row_id),
        aggregate=claim.aggregate,
        target=claim.target,
        attempts=claim.attempts,
        error=repr(error),
    )
