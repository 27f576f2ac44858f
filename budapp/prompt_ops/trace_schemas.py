from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator

from budapp.commons.schemas import Answer, PageAnswer, Schema
from budapp.commons.storable import StorableText as Text
from budapp.commons.storable import within
from budapp.commons.timestamps import AwareTimestamp
from budapp.integrations.traces import Span, TelemetrySpan


class TraceQuery(Schema):
    """The calls of a prompt in a period; with `flatten`, all their parts one by one."""

    project_id: UUID
    from_date: AwareTimestamp
    to_date: AwareTimestamp
    page: int = Field(default=1, ge=1, le=100_000)
    limit: int = Field(default=50, ge=1, le=1000)
    flatten: bool = False

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.to_date < self.from_date:
            raise ValueError("to_date must not be before from_date")
        return self


class TraceList(PageAnswer):
    object: Literal["trace_list"] = "trace_list"
    message: str = "Traces found"
    items: list[Span]


class TraceAnswer(Answer):
    object: Literal["trace_detail"] = "trace_detail"
    message: str = "Trace found"
    trace_id: str
    spans: list[Span]
    total_spans: int


FilterField = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:-]{1,200}$")]
Named = Annotated[Text, StringConstraints(min_length=1, max_length=200)]


class SpanFilter(Schema):
    field: FilterField = Field(description="The attribute or column that is looked at")
    op: Literal["eq", "neq", "gt", "gte", "lt", "lte", "in_", "not_in", "like", "is_null", "is_not_null"] = Field(
        description="How the field compares with `value`; `in_` and `not_in` take a list"
    )
    value: Annotated[Any, within(16 * 1024)] = None


class SpanOrder(Schema):
    field: FilterField
    direction: Literal["asc", "desc"] = "desc"


class TelemetryQuery(Schema):
    """Which parts of a prompt's calls are wanted; `prompt_id` is what the prompt is called by."""

    prompt_id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,199}$")] = Field(
        description="What the prompt is called by"
    )
    version: Annotated[Text, StringConstraints(max_length=20)] | None = Field(
        default=None, description="Only calls of this version, by its number"
    )
    from_date: AwareTimestamp
    to_date: AwareTimestamp | None = None
    trace_id: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z]{1,64}$")] | None = None
    span_names: list[Named] | None = Field(default=None, max_length=20)
    depth: int = Field(
        default=0,
        ge=-1,
        le=10,
        description="How many levels of children come with each span; -1 is handed to budmetrics as it is",
    )
    select_attributes: list[FilterField] | None = Field(
        default=None, max_length=50, description="The attributes that come with spans, by name"
    )
    include_all_attributes: bool = False
    include_resource_attributes: bool = False
    include_events: bool = False
    include_links: bool = False
    span_filters: list[SpanFilter] | None = Field(default=None, max_length=20)
    resource_filters: list[SpanFilter] | None = Field(default=None, max_length=20)
    order_by: list[SpanOrder] | None = Field(default=None, max_length=10)
    page: int = Field(default=1, ge=1, le=100_000)
    limit: int = Field(default=10, ge=1, le=1000)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.to_date is not None and self.to_date < self.from_date:
            raise ValueError("to_date must not be before from_date")
        return self


class TelemetryAnswer(PageAnswer):
    object: Literal["telemetry_query"] = "telemetry_query"
    message: str = "Spans found"
    data: list[TelemetrySpan]
    offset: int
    has_more: bool
    query_time_ms: int = Field(description="How many milliseconds budmetrics took")
