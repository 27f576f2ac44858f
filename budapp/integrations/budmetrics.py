"""What budmetrics is asked: how much somebody has used."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, Field, ValidationError

from budapp.commons.errors import PeerFailed
from budapp.commons.logging import get_logger
from budapp.integrations.dapr import DaprClient, Peer

logger = get_logger(__name__)

_SECONDS = 5


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


class _KeyUse(BaseModel):
    credential_id: UUID
    last_used_at: AwareDatetime | None = None


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
