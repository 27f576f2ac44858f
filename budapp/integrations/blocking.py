"""How often the gateway has turned people away, as budmetrics counts it for the whole platform."""

from datetime import datetime
from typing import Annotated

from pydantic import Field, ValidationError

from budapp.commons.errors import PeerFailed
from budapp.commons.logging import get_logger
from budapp.commons.storable import OutsideText
from budapp.commons.timestamps import AwareTimestamp
from budapp.integrations.dapr import DaprClient, Peer
from budapp.integrations.peers import Reply

logger = get_logger(__name__)

_SECONDS = 8
_PATH = "observability/gateway/blocking-stats"
_Count = Annotated[int, Field(ge=0, le=2**53)]


class Address(Reply):
    ip: str = Field(max_length=100)
    country: OutsideText = None
    count: _Count


class Moment(Reply):
    timestamp: AwareTimestamp
    blocked_count: _Count


class Blocked(Reply):
    total_blocked: _Count
    block_rate: float = Field(ge=0, allow_inf_nan=False)
    blocked_by_rule: dict[str, _Count] = {}
    blocked_by_reason: dict[str, _Count] = {}
    top_blocked_ips: list[Address] = []
    time_series: list[Moment] = []


async def blocked(dapr: DaprClient, start: datetime, end: datetime) -> Blocked:
    """Return what was counted in the period.

    Raises:
        PeerFailed: budmetrics refused, failed, or its answer makes no sense.
        Unavailable: it cannot be reached in time.
    """
    query = {"from_date": start.isoformat(), "to_date": end.isoformat()}
    answer = await dapr.invoke(Peer.BUDMETRICS, "GET", _PATH, params=query, timeout=_SECONDS)
    try:
        return Blocked.model_validate(answer)
    except ValidationError as error:
        logger.warning("peer_failed", peer=Peer.BUDMETRICS, path=_PATH, answer="malformed")
        raise PeerFailed from error
