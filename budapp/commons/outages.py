"""Outages of what this service depends on.

Each leaves a line in the log where it begins, one a minute while it lasts, and one where it ends; what fails in between
is counted.
"""

import asyncio
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import structlog
from prometheus_client import Counter, Gauge, Histogram
from redis.exceptions import RedisError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from budapp.commons.errors import AppError, Unavailable
from budapp.commons.integrity import sqlstate_of
from budapp.commons.logging import get_logger

logger = get_logger(__name__)

QUIET_SECONDS = 5
"""An outage is over with the first success so long after the last failure."""
REMINDER_SECONDS = 60

DOWN = Gauge("budapp_dependency_down", "1 while a dependency fails, 0 once it answers again", ["dependency"])
FAILURES = Counter("budapp_dependency_failures", "Calls that a dependency did not answer", ["dependency"])
SECONDS = Histogram(
    "budapp_dependency_seconds",
    "Seconds that calls of a dependency took, by how they ended",
    ["dependency", "outcome"],
    buckets=(0.002, 0.01, 0.05, 0.2, 0.5, 1, 2.5, 5, 10, 30, 60),
)

POSTGRESQL, VALKEY, KEYCLOAK, DAPR, STORAGE = "postgresql", "valkey", "keycloak", "dapr", "storage"

for _dependency in (POSTGRESQL, VALKEY, KEYCLOAK, DAPR, STORAGE):
    DOWN.labels(_dependency)  # 0 from the start, so that an alert tells "up" from "not known"

_CONNECTION_LOST = ("08", "53", "57P")


@dataclass(slots=True)
class _Outage:
    began: float
    last_failure: float
    reported_at: float
    failures: int = 0


class Outages:
    """The outages that this process sees now."""

    def __init__(self) -> None:
        self._now: dict[str, _Outage] = {}

    def failed(self, dependency: str, error: object) -> None:
        """Count a call that failed as the dependency did not answer."""
        moment = time.monotonic()
        FAILURES.labels(dependency).inc()
        outage = self._now.get(dependency)
        if outage is None:
            outage = self._now[dependency] = _Outage(moment, moment, moment)
            DOWN.labels(dependency).set(1)
            logger.warning("dependency_down", dependency=dependency, reason=_text(error))
        outage.failures += 1
        outage.last_failure = moment
        if moment - outage.reported_at >= REMINDER_SECONDS:
            outage.reported_at = moment
            logger.warning("dependency_still_down", dependency=dependency, reason=_text(error), **_extent(outage))

    def answered(self, dependency: str) -> None:
        """Note that the dependency did what it was asked for; costs next to nothing where there is no outage."""
        outage = self._now.get(dependency)
        if outage is None or time.monotonic() - outage.last_failure < QUIET_SECONDS:
            return
        del self._now[dependency]
        DOWN.labels(dependency).set(0)
        logger.warning("dependency_up", dependency=dependency, **_extent(outage))


outages = Outages()


@contextmanager
def timed(dependency: str) -> Iterator[None]:
    """Take the time of a call.

    It ends `answered`, with an `error` that the dependency tells of, `unreachable`, or `given_up` by whoever waited.
    """
    began = time.perf_counter()
    outcome = "answered"
    try:
        yield
    except asyncio.CancelledError:
        outcome = "given_up"
        raise
    except Exception as error:
        outcome = "unreachable" if dependency_of(error) or not isinstance(error, AppError | DBAPIError) else "error"
        raise
    finally:
        SECONDS.labels(dependency, outcome).observe(time.perf_counter() - began)


def unavailable(dependency: str, message: str | None, cause: object) -> Unavailable:
    """Count the failure, and return what to raise for it."""
    outages.failed(dependency, cause)
    error = Unavailable(message)
    error.dependency = dependency
    return error


def dependency_of(error: BaseException) -> str | None:
    """Return which dependency the error is an outage of, or None where it is none.

    A group is an outage where each of its errors is: what runs side by side loses its connections together.
    """
    if isinstance(error, BaseExceptionGroup):
        found = [dependency_of(part) for part in error.exceptions]
        return found[0] if all(found) else None
    if isinstance(error, Unavailable):
        return error.dependency
    if isinstance(error, RedisError):
        return VALKEY
    if isinstance(error, DBAPIError):
        state = sqlstate_of(error)
        return POSTGRESQL if not state or state.startswith(_CONNECTION_LOST) else None
    # The driver of PostgreSQL is the only one whose connections fail under other names than its own.
    return POSTGRESQL if isinstance(error, PoolTimeout | ConnectionError | TimeoutError | ssl.SSLError) else None


def log_failure(log: structlog.typing.FilteringBoundLogger, event: str, error: BaseException, **details: Any) -> None:
    """Log what failed in the background with its traceback; an outage is counted in its place."""
    dependency = dependency_of(error)
    if dependency is None:
        log.error(event, exc_info=error, **details)
    elif not isinstance(error, Unavailable):
        outages.failed(dependency, error)


def _extent(outage: _Outage) -> dict[str, float]:
    return {"failures": outage.failures, "seconds": round(time.monotonic() - outage.began, 1)}


def _text(error: object) -> str:
    return error if isinstance(error, str) else repr(error)[:300]
