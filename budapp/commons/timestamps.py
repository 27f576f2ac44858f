"""Timestamps that come from outside."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("must lie in the years 1 to 9999, in UTC too") from None


Timestamp = Annotated[datetime, AfterValidator(_in_utc)]
"""In UTC; one without a time zone is taken for UTC."""

AwareTimestamp = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""In UTC; one without a time zone is refused."""
