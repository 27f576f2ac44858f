"""What can be asked of the figures: periods, groupings and filters, checked before anybody is asked."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from budapp.commons.schemas import Schema
from budapp.commons.timestamps import Timestamp

MAX_PERIODS = 2_000
"""How many periods or intervals an answer may have, for each group."""
LONGEST = timedelta(days=732)
"""Clients ask for twice the year that they show."""
_MAX_IDS = 100

DataSource = Literal["inference", "prompt"]


def _listed(value: Any) -> Any:
    return value if isinstance(value, list) or value is None else [value]


def _names(value: Any) -> Any:
    return [part for part in value.split(",") if part] if isinstance(value, str) else value


Ids = Annotated[list[UUID], BeforeValidator(_listed), Field(max_length=_MAX_IDS)]
"""One id, or several; an empty list selects nothing."""
QueryIds = Annotated[list[UUID], BeforeValidator(_listed), Field(max_length=_MAX_IDS)]
PromptName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:-]{1,100}$")]
Prompts = Annotated[list[PromptName], BeforeValidator(_listed), Field(max_length=_MAX_IDS)]


class AnalyticsMetric(StrEnum):
    REQUEST_COUNT = "request_count"
    SUCCESS_REQUEST = "success_request"
    FAILURE_REQUEST = "failure_request"
    QUEUING_TIME = "queuing_time"
    INPUT_TOKEN = "input_token"  # noqa: S105 - a metric
    OUTPUT_TOKEN = "output_token"  # noqa: S105 - a metric
    CONCURRENT_REQUESTS = "concurrent_requests"
    TTFT = "ttft"
    LATENCY = "latency"
    THROUGHPUT = "throughput"
    CACHE = "cache"


class SeriesMetric(StrEnum):
    REQUESTS = "requests"
    SUCCESS_RATE = "success_rate"
    AVG_LATENCY = "avg_latency"
    P95_LATENCY = "p95_latency"
    P99_LATENCY = "p99_latency"
    TOKENS = "tokens"
    INPUT_TOKENS = "input_tokens"
    OUTPUT_TOKENS = "output_tokens"
    COST = "cost"
    TTFT_AVG = "ttft_avg"
    CACHE_HIT_RATE = "cache_hit_rate"
    THROUGHPUT = "throughput"
    ERROR_RATE = "error_rate"
    UNIQUE_USERS = "unique_users"
    SUCCESS_COUNT = "success_count"
    ERROR_COUNT = "error_count"


NOT_COUNTED = frozenset({SeriesMetric.INPUT_TOKENS, SeriesMetric.OUTPUT_TOKENS})
"""What clients ask for as a series and budmetrics has none of."""

AggregatedMetric = Literal[
    "total_requests",
    "success_rate",
    "avg_latency",
    "p95_latency",
    "p99_latency",
    "total_tokens",
    "total_input_tokens",
    "total_output_tokens",
    "avg_tokens",
    "total_cost",
    "avg_cost",
    "ttft_avg",
    "ttft_p95",
    "ttft_p99",
    "cache_hit_rate",
    "throughput_avg",
    "error_rate",
    "unique_users",
    "p95_inference_cost",
    "max_inference_cost",
    "min_inference_cost",
]
Interval = Literal["1m", "5m", "15m", "30m", "1h", "6h", "12h", "1d", "1w"]
GroupBy = Literal["model", "project", "endpoint", "user", "user_project"]
SeriesGroupBy = Literal["model", "project", "endpoint", "user_project"]
AnalyticsGroupBy = Literal["model", "project", "endpoint", "user_project", "api_key"]

_INTERVALS: dict[str, timedelta] = {
    **{f"{minutes}m": timedelta(minutes=minutes) for minutes in (1, 5, 15, 30)},
    **{f"{hours}h": timedelta(hours=hours) for hours in (1, 6, 12)},
    "1d": timedelta(days=1),
    "1w": timedelta(weeks=1),
}
_UNITS: dict[str, timedelta] = {
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(weeks=1),
    "month": timedelta(days=30),
    "quarter": timedelta(days=91),
    "year": timedelta(days=365),
}


class Filters(Schema):
    """What is looked at of all that the caller may see."""

    model_config = ConfigDict(extra="forbid")

    project_id: Ids | None = None
    api_key_project_id: Ids | None = None
    endpoint_id: Ids | None = None
    model_id: Ids | None = None
    prompt_id: Prompts | None = Field(default=None, description="Prompts, by what they are called by")


class AnalyticsFilters(Schema):
    model_config = ConfigDict(extra="forbid")

    project: Ids | None = None
    endpoint: Ids | None = None
    model: Ids | None = None
    prompt: Prompts | None = Field(default=None, description="Prompts, by what they are called by")

    def general(self) -> Filters:
        """Return them by the names that all other routes have."""
        return Filters(project_id=self.project, endpoint_id=self.endpoint, model_id=self.model, prompt_id=self.prompt)


class Period(Schema):
    """A period, until now where no end is given."""

    from_date: Timestamp
    to_date: Timestamp | None = None

    @property
    def end(self) -> datetime:
        """When it ends."""
        return self.to_date or datetime.now(UTC)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        check_period(self.from_date, self.end)
        return self


def check_period(start: datetime, end: datetime) -> None:
    """Raise `ValueError` for a period that ends before it starts, or is too long to be counted."""
    if end < start:
        raise ValueError("to_date must not be before from_date")
    if end - start > LONGEST:
        raise ValueError(f"the period must not be longer than {LONGEST.days} days")


def check_periods(start: datetime, end: datetime, step: timedelta) -> None:
    """Raise `ValueError` where the steps of a period are too many."""
    if (end - start) / step > MAX_PERIODS:
        raise ValueError(f"the period has more than {MAX_PERIODS} steps; choose longer ones, or a shorter period")


class AnalyticsRequest(Period):
    metrics: list[AnalyticsMetric] = Field(min_length=1, max_length=11, description="Which figures are wanted")
    frequency_unit: Literal["hour", "day", "week", "month", "quarter", "year"] = Field(
        default="day", description="The unit of `frequency_interval`"
    )
    frequency_interval: int | None = Field(
        default=None, ge=1, le=1_000, description="How many `frequency_unit`s a period has; null for 1"
    )
    filters: AnalyticsFilters = AnalyticsFilters()
    group_by: list[AnalyticsGroupBy] | None = Field(default=None, max_length=5)
    return_delta: bool = Field(
        default=True, description="Whether each figure says how it has changed since the period before"
    )
    fill_time_gaps: bool = Field(default=True, description="Whether periods without requests are there too")
    topk: int | None = Field(
        default=None, ge=1, le=1_000, description="Only so many groups, the largest ones; null for all"
    )
    data_source: DataSource = "inference"

    @model_validator(mode="after")
    def _countable(self) -> Self:
        check_periods(self.from_date, self.end, _UNITS[self.frequency_unit] * (self.frequency_interval or 1))
        return self


class AggregatedRequest(Schema):
    """Without `from_date`, the last 30 days."""

    from_date: Timestamp | None = None
    to_date: Timestamp | None = None
    group_by: list[GroupBy] | None = Field(default=None, max_length=5)
    filters: Filters | None = None
    metrics: list[AggregatedMetric] = Field(min_length=1, max_length=21, description="Which figures are wanted")
    data_source: DataSource = "inference"

    @property
    def end(self) -> datetime:
        """When the period ends."""
        return self.to_date or datetime.now(UTC)

    @property
    def start(self) -> datetime:
        """When the period starts."""
        return self.from_date or self.end - timedelta(days=30)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        try:
            check_period(self.start, self.end)
        except OverflowError:
            raise ValueError("to_date is too early") from None
        return self


class SeriesRequest(Period):
    interval: Interval = Field(default="1h", description="How long an interval is")
    metrics: list[SeriesMetric] = Field(min_length=1, max_length=16, description="Which figures are wanted")
    filters: Filters | None = None
    group_by: list[SeriesGroupBy] | None = Field(default=None, max_length=4)
    fill_gaps: bool = Field(default=True, description="Whether intervals without requests are there too")
    data_source: DataSource = "inference"

    @model_validator(mode="after")
    def _countable(self) -> Self:
        check_periods(self.from_date, self.end, _INTERVALS[self.interval])
        return self


class Bucket(Schema):
    """A span of values: `min` is in it, `max` is not; without `max`, all from `min` on."""

    model_config = ConfigDict(extra="forbid")

    min: float = Field(
        default=0,
        ge=0,
        le=1e9,
        allow_inf_nan=False,
        description="The least value in it: milliseconds, tokens, or requests at once",
    )
    max: float | None = Field(
        default=None,
        gt=0,
        le=1e9,
        allow_inf_nan=False,
        description="The least value above it: milliseconds, tokens, or requests at once; null for none",
    )
    label: Annotated[str, StringConstraints(pattern=r"^[\w .<>=-]{1,50}$")] | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.max is not None and self.max <= self.min:
            raise ValueError("max must be above min")
        return self


class LatencyRequest(Period):
    filters: Filters | None = None
    group_by: list[GroupBy] | None = Field(default=None, max_length=5)
    buckets: list[Bucket] | None = Field(default=None, min_length=1, max_length=50)
    data_source: DataSource = "inference"


class DistributionRequest(Period):
    filters: Filters | None = None
    bucket_by: Literal["concurrency", "input_tokens", "output_tokens"]
    metric: Literal["total_duration_ms", "ttft_ms", "response_time_ms", "throughput_per_user"]
    buckets: list[Bucket] | None = Field(default=None, min_length=1, max_length=50)


class GeographyQuery(Period):
    group_by: Literal["country", "region", "city"] = "country"
    limit: int = Field(default=50, ge=1, le=1_000)
    project_ids: Annotated[list[UUID], BeforeValidator(_names), Field(max_length=_MAX_IDS)] | None = None
    project_id: QueryIds | None = None
    endpoint_id: QueryIds | None = None
    model_id: QueryIds | None = None

    def general(self) -> Filters:
        """Return the filters."""
        projects = [*(self.project_id or ()), *(self.project_ids or ())]
        named = self.project_id is not None or self.project_ids is not None
        return Filters(project_id=projects if named else None, endpoint_id=self.endpoint_id, model_id=self.model_id)


class InferenceListRequest(Period):
    offset: int = Field(default=0, ge=0, le=1_000_000)
    limit: int = Field(default=50, ge=1, le=1_000)
    project_id: UUID | None = None
    endpoint_id: UUID | None = None
    model_id: UUID | None = None
    is_success: bool | None = Field(default=None, description="Only requests that succeeded, or that failed")
    min_tokens: int | None = Field(
        default=None, ge=0, le=2**31, description="Only requests with so many tokens at least, sent and written"
    )
    max_tokens: int | None = Field(
        default=None, ge=0, le=2**31, description="Only requests with so many tokens at most, sent and written"
    )
    max_latency_ms: int | None = Field(
        default=None, ge=0, le=2**31, description="Only requests that took so many milliseconds at most"
    )
    endpoint_type: (
        Literal[
            "chat",
            "completion",
            "embedding",
            "anthropic",
            "audio_transcription",
            "audio_translation",
            "text_to_speech",
            "image_generation",
            "image_edit",
            "image_variation",
            "moderation",
            "classify",
            "document",
            "response",
            "realtime",
        ]
        | None
    ) = None
    filters: Filters | None = None
    sort_by: Literal["timestamp", "tokens", "latency", "cost"] = "timestamp"
    sort_order: Literal["asc", "desc"] = "desc"

    def general(self) -> Filters:
        """Return the filters, those beside `filters` too."""
        found = (self.filters or Filters()).model_copy()
        for name in ("project_id", "endpoint_id", "model_id"):
            value = getattr(self, name)
            if value is not None:
                within = getattr(found, name)
                setattr(found, name, [value] if within is None or value in within else [])
        return found


class GatewayPeriod(Schema):
    """A period in the words of the gateway's routes: the last day where none is given."""

    start_time: Timestamp | None = Field(
        default=None, description="From when on; a day before `end_time` where it is not said"
    )
    end_time: Timestamp | None = Field(default=None, description="Until when; now where it is not said")

    @property
    def end(self) -> datetime:
        """When it ends."""
        return self.end_time or datetime.now(UTC)

    @property
    def start(self) -> datetime:
        """When it starts."""
        return self.start_time or self.end - timedelta(days=1)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        try:
            check_period(self.start, self.end)
        except OverflowError:
            raise ValueError("end_time is too early") from None
        return self


class GatewayQuery(GatewayPeriod):
    project_ids: QueryIds | None = None


class TopRoutesQuery(GatewayQuery):
    limit: int = Field(default=10, ge=1, le=100)


GatewayMetric = Literal["total_requests", "error_count", "error_rate", "response_time", "tokens", "cost"]


class GatewayAnalyticsRequest(GatewayPeriod):
    project_ids: Ids | None = None
    model_ids: Ids | None = None
    endpoint_ids: Ids | None = None
    time_bucket: Interval = Field(default="1h", description="How long an interval is")
    metrics: list[GatewayMetric] = Field(
        default=["total_requests"], max_length=6, description="Which figures are wanted"
    )
    group_by: list[Literal["model", "project", "endpoint"]] | None = Field(default=None, max_length=3)
    filters: Filters | None = None

    @model_validator(mode="after")
    def _countable(self) -> Self:
        check_periods(self.start, self.end, _INTERVALS[self.time_bucket])
        return self

    def general(self) -> Filters:
        """Return the filters, those beside `filters` too."""
        found = (self.filters or Filters()).model_copy()
        for name in ("project", "endpoint", "model"):
            value = getattr(self, f"{name}_ids")
            if value is not None:
                within = getattr(found, f"{name}_id")
                setattr(found, f"{name}_id", [one for one in value if within is None or one in within])
        return found
