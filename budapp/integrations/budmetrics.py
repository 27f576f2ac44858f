"""What budmetrics is asked: how much somebody has used."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field, ValidationError

from budapp.commons.errors import PeerFailed
from budapp.commons.logging import get_logger
from budapp.commons.timestamps import AwareTimestamp
from budapp.integrations.dapr import DaprClient, Peer

logger = get_logger(__name__)

_SECONDS = 5
_BULK_SECONDS = 60


class UsageSummary(BaseModel):
    """The part of budmetrics' summary that is read here; the cost is in the platform's currency."""

    total_tokens: int = Field(ge=0)
    total_cost: float = Field(ge=0, allow_inf_nan=False)
    request_count: int = Field(ge=0)
    success_rate: float = Field(ge=0, le=100, allow_inf_nan=False)


async def usage_summary(dapr: DaprClient, *, user_id: UUID, start: datetime, end: datetime) -> UsageSummary:
    """Return what the user has used from `start` to `end`.

    Raises:
        PeerFailed: budmetrics refused, failed, or its answer makes no sense.
        Unavailable: it cannot be reached within 5 seconds.
    """
    query = {"user_id": str(user_id), "start_date": start.isoformat(), "end_date": end.isoformat()}
    answer = await dapr.invoke(Peer.BUDMETRICS, "GET", "observability/usage/summary", params=query, timeout=_SECONDS)
    found: Any = answer.get("param") if isinstance(answer, dict) else None
    try:
        return UsageSummary.model_validate(found)
    except ValidationError as error:
        logger.warning("peer_failed", peer=Peer.BUDMETRICS, path="observability/usage/summary", answer="malformed")
        raise PeerFailed from error


class UsageOfUser(UsageSummary):
    """The same of one of many users."""

    user_id: UUID


class _UsageOfUsers(BaseModel):
    users: list[UsageOfUser]


async def usage_of_users(
    dapr: DaprClient, *, user_ids: Sequence[UUID], start: datetime, end: datetime
) -> list[UsageOfUser]:
    """Return what each of the users has used from `start` to `end`: those who have used anything; 1000 at most.

    Raises:
        PeerFailed, Unavailable: see `usage_summary`; it may take 60 seconds.
    """
    path = "observability/usage/summary/bulk"
    body = {"user_ids": list(map(str, user_ids)), "start_date": start.isoformat(), "end_date": end.isoformat()}
    answer = await dapr.invoke(Peer.BUDMETRICS, "POST", path, body, timeout=_BULK_SECONDS, idempotent=True)
    found: Any = answer.get("param") if isinstance(answer, dict) else None
    try:
        return _UsageOfUsers.model_validate(found).users
    except ValidationError as error:
        logger.warning("peer_failed", peer=Peer.BUDMETRICS, path=path, answer="malformed")
        raise PeerFailed from error


class UsageAt(BaseModel):
    """What was used in one hour, day, week or month."""

    date: str
    tokens: int = Field(ge=0)
    input_tokens: int = Field(default=0, ge=0)
    output_tokens: int = Field(default=0, ge=0)
    requests: int = Field(default=0, ge=0)
    cost: float = Field(ge=0, allow_inf_nan=False)


class _History(BaseModel):
    data: list[UsageAt]


async def usage_history(
    dapr: DaprClient, *, user_id: UUID, start: datetime, end: datetime, granularity: str, project_id: UUID | None
) -> list[UsageAt]:
    """Return what the user has used in each part of the period.

    Raises:
        PeerFailed, Unavailable: see `usage_summary`.
    """
    path = "observability/usage/history"
    query = {"user_id": str(user_id), "start_date": start.isoformat(), "end_date": end.isoformat()}
    query |= {"granularity": granularity} | ({"project_id": str(project_id)} if project_id is not None else {})
    answer = await dapr.invoke(Peer.BUDMETRICS, "GET", path, params=query, timeout=_SECONDS)
    found: Any = answer.get("param") if isinstance(answer, dict) else None
    try:
        return _History.model_validate(found).data
    except ValidationError as error:
        logger.warning("peer_failed", peer=Peer.BUDMETRICS, path=path, answer="malformed")
        raise PeerFailed from error


class _KeyUse(BaseModel):
    credential_id: UUID
    last_used_at: AwareTimestamp | None = None


class _KeyUses(BaseModel):
    credentials: list[_KeyUse]


async def credential_usage(dapr: DaprClient, *, since: datetime) -> Mapping[UUID, datetime]:
    """Return when each API key that was used since then was used last.

    Raises:
        PeerFailed, Unavailable: see `usage_summary`.
    """
    body = {"since": since.isoformat()}
    path = "observability/credential-usage"
    answer = await dapr.invoke(Peer.BUDMETRICS, "POST", path, body, timeout=_SECONDS, idempotent=True)
    try:
        found = _KeyUses.model_validate(answer).credentials
    except ValidationError as error:
        logger.warning("peer_failed", peer=Peer.BUDMETRICS, path=path, answer="malformed")
        raise PeerFailed from error
    return {use.credential_id: use.last_used_at for use in found if use.last_used_at is not None}
