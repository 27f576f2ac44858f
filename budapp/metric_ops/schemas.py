from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from budapp.commons.schemas import Answer, Schema
from budapp.integrations import traffic as peer
from budapp.metric_ops.requests import AnalyticsMetric


class CountAnswer(Answer):
    object: Literal["dashboard.count"] = "dashboard.count"
    message: str = "Counted what you may see"
    total_model_count: int = 0
    cloud_model_count: int = 0
    local_model_count: int = 0
    total_projects: int = 0
    total_project_users: int = Field(default=0, description="How many people take part in the projects")
    total_endpoints_count: int = 0
    running_endpoints_count: int = 0
    total_clusters: int = 0
    inactive_clusters: int = Field(default=0, description="How many clusters are not available")


class Named(Schema):
    """What figures are of; null where they are not parted by it."""

    model_id: UUID | None = None
    model_name: str | None = None
    project_id: UUID | None = None
    project_name: str | None = None
    endpoint_id: UUID | None = None
    endpoint_name: str | None = None
    user_id: str | None = None
    api_key_project_id: UUID | None = None
    api_key_project_name: str | None = None


class TimeSpan(Schema):
    from_date: datetime
    to_date: datetime


class FigureView(peer.Figure):
    """One metric of a period, under all the names that clients read it by; `value` is the main one."""

    value: float | None = Field(
        default=None, description="The main figure: a count, ms, tokens per second or percent, by the metric"
    )
    avg_throughput: float | None = Field(default=None, description="Mean throughput, in tokens per second")
    avg_ttft_ms: float | None = Field(default=None, description="Mean time to the first token, in ms")
    latency_p95: float | None = Field(default=None, description="95th percentile of the latency, in ms")
    latency_p99: float | None = Field(default=None, description="99th percentile of the latency, in ms")
    ttft_p95: float | None = Field(default=None, description="95th percentile of the time to the first token, in ms")
    ttft_p99: float | None = Field(default=None, description="99th percentile of the time to the first token, in ms")


class AnalyticsItem(Named):
    api_key_id: UUID | None = None
    api_key_name: str | None = None
    data: dict[AnalyticsMetric, FigureView] = Field(description="Metric → its figures in the period")


class AnalyticsPeriod(Schema):
    time_period: datetime = Field(description="When the period begins")
    items: list[AnalyticsItem]


class AnalyticsAnswer(Answer):
    """The newest period first; each figure tells how it has changed since the period before."""

    object: Literal["observability_metrics"] = "observability_metrics"
    message: str = "Figures found"
    items: list[AnalyticsPeriod]


class ValueView(Schema):
    value: float = Field(description="The figure, in `unit`")
    formatted_value: str | None = Field(default=None, description="The figure with its unit, for a person")
    unit: str | None = Field(default=None, description="The unit, such as `ms` or `%`")


class AggregatedFigures(Schema):
    """The metrics that were asked for; the others are null."""

    total_requests: ValueView | None = None
    success_rate: ValueView | None = None
    avg_latency: ValueView | None = None
    p95_latency: ValueView | None = None
    p99_latency: ValueView | None = None
    total_tokens: ValueView | None = None
    total_input_tokens: ValueView | None = None
    total_output_tokens: ValueView | None = None
    avg_tokens: ValueView | None = None
    total_cost: ValueView | None = None
    avg_cost: ValueView | None = None
    ttft_avg: ValueView | None = None
    ttft_p95: ValueView | None = None
    ttft_p99: ValueView | None = None
    cache_hit_rate: ValueView | None = None
    throughput_avg: ValueView | None = None
    error_rate: ValueView | None = None
    unique_users: ValueView | None = None
    p95_inference_cost: ValueView | None = None
    max_inference_cost: ValueView | None = None
    min_inference_cost: ValueView | None = None


class AggregatedGroup(Named):
    metrics: AggregatedFigures


class AggregatedAnswer(Answer):
    object: Literal["aggregated_metrics"] = "aggregated_metrics"
    message: str = "Figures found"
    groups: list[AggregatedGroup]
    summary: AggregatedFigures
    total_groups: int
    date_range: TimeSpan


class SeriesPoint(Schema):
    timestamp: datetime = Field(description="When the interval begins")
    values: dict[str, float | None] = Field(
        description="Metric → its value: ms for times, percent for rates, tokens per second, or the platform's currency"
    )


class SeriesGroup(Named):
    data_points: list[SeriesPoint]


class SeriesAnswer(Answer):
    """The oldest interval first."""

    object: Literal["time_series"] = "time_series"
    message: str = "Series found"
    groups: list[SeriesGroup]
    interval: str = Field(description="How long an interval is")
    date_range: TimeSpan


class GeographyAnswer(Answer):
    object: Literal["geographic_data"] = "geographic_data"
    message: str = "Places found"
    locations: list[peer.Place]
    total_requests: int
    total_locations: int
    date_range: TimeSpan
    group_by: str


class LatencyGroupView(Named):
    buckets: list[peer.LatencyBucket]
    total_requests: int


class LatencyAnswer(Answer):
    object: Literal["latency_distribution"] = "latency_distribution"
    message: str = "Distribution found"
    groups: list[LatencyGroupView]
    overall_distribution: list[peer.LatencyBucket]
    total_requests: int
    date_range: TimeSpan
    bucket_definitions: list[dict[str, float | str | None]] = Field(
        description="The buckets: from `min` to `max`, in ms, and a `label`"
    )


class DistributionAnswer(Answer):
    object: Literal["prompt_distribution"] = "prompt_distribution"
    message: str = "Distribution found"
    buckets: list[peer.SizeBucket]
    total_count: int = Field(description="How many requests there were")
    bucket_by: str
    metric: str
    date_range: TimeSpan
    bucket_definitions: list[dict[str, float | str | None]] = Field(
        description="The buckets: from `min` to `max`, in tokens or requests at once"
    )


class InferenceView(Named):
    inference_id: UUID
    timestamp: datetime = Field(description="When the request came")
    model_name: str
    model_display_name: str | None = None
    prompt_preview: str = Field(description="The beginning of what was asked")
    response_preview: str = Field(description="The beginning of what was answered")
    input_tokens: int
    output_tokens: int
    total_tokens: int
    response_time_ms: int
    cost: float | None = None
    is_success: bool
    cached: bool
    endpoint_type: str
    error_code: str | None = None
    error_message: str | None = None
    error_type: str | None = None
    status_code: int | None = Field(default=None, description="The HTTP status that the gateway answered")


class InferenceList(Answer):
    object: Literal["inference_list"] = "inference_list"
    message: str = "Requests found"
    items: list[InferenceView]
    total_count: int
    offset: int
    limit: int
    has_more: bool


class InferenceAnswer(Answer, Named):
    object: Literal["inference_detail"] = "inference_detail"
    message: str = "Request found"
    code: Literal[200] = 200
    inference_id: UUID
    timestamp: datetime = Field(description="When the request came")
    model_name: str
    model_display_name: str | None = None
    model_provider: str = Field(description="The provider, by the gateway's name")
    system_prompt: str | None
    messages: list[peer.Message]
    output: str = Field(description="What the model answered")
    function_name: str | None = Field(description="The gateway's name of what was called")
    variant_name: str | None = Field(description="The gateway's name of the variant that was called")
    episode_id: UUID | None = Field(description="The gateway's id of the conversation that the request is part of")
    input_tokens: int
    output_tokens: int
    response_time_ms: int = Field(description="Milliseconds until the whole response was there")
    ttft_ms: int | None
    processing_time_ms: int | None
    request_ip: str | None = Field(description="The address that it came from")
    request_arrival_time: datetime = Field(description="When the gateway received it")
    request_forward_time: datetime = Field(description="When the gateway passed it on to the model")
    is_success: bool
    cached: bool
    finish_reason: str | None = Field(description="Why the model stopped, such as `stop` or `length`")
    cost: float | None
    endpoint_type: str | None
    error_code: str | None
    error_message: str | None
    error_type: str | None
    status_code: int | None = Field(description="The HTTP status that the gateway answered")
    raw_request: str | None = Field(description="What was sent to the model's provider, as it was")
    raw_response: str | None = Field(description="What the model's provider answered, as it was")
    gateway_request: Any = Field(description="What the gateway was sent")
    gateway_response: Any = Field(description="What the gateway answered")
    gateway_metadata: peer.GatewayMetadata | None
    feedback_count: int
    average_rating: float | None = Field(
        description="Mean of the ratings that people gave, as budmetrics gives it; null for none"
    )


class FeedbackAnswer(Answer):
    object: Literal["inference_feedback"] = "inference_feedback"
    message: str = "Feedback found"
    code: Literal[200] = 200
    inference_id: UUID
    feedback_items: list[peer.FeedbackItem]
    total_count: int


class GatewayItem(Named):
    timestamp: datetime = Field(description="When the interval begins")
    total_requests: int = 0
    error_count: int = 0
    error_rate: float = 0.0
    avg_response_time: float = 0.0
    p95_response_time: float | None = None
    p99_response_time: float | None = None
    total_tokens_used: int | None = None
    total_cost: float | None = None


class GatewayBucket(Schema):
    timestamp: datetime = Field(description="When the interval begins")
    items: list[GatewayItem]


class GatewaySummary(Schema):
    total_requests: int = 0
    error_count: int = 0
    total_tokens_used: int = 0
    total_cost: float = 0.0


class GatewayAnalyticsAnswer(Answer):
    object: Literal["gateway_analytics"] = "gateway_analytics"
    message: str = "Figures found"
    items: list[GatewayBucket]
    summary: GatewaySummary


class GeographicalItem(Schema):
    country: str
    country_code: str
    region: str | None
    city: str | None
    request_count: int
    error_count: int
    avg_response_time: float


class GeographicalAnswer(Answer):
    object: Literal["gateway_geographical_stats"] = "gateway_geographical_stats"
    message: str = "Places found"
    items: list[GeographicalItem]
    total: int


class TopRoute(Schema):
    """The percentiles are null: budmetrics does not say them by address."""

    route: str = Field(description="The path that was called at the gateway")
    method: str
    request_count: int
    error_count: int
    avg_response_time: float
    error_rate: float
    p95_response_time: float | None = Field(default=None, description="Nothing tells it by path, so it is null")
    p99_response_time: float | None = Field(default=None, description="Nothing tells it by path, so it is null")
    project_id: UUID
    project_name: str | None


class TopRoutesAnswer(Answer):
    object: Literal["gateway_top_routes"] = "gateway_top_routes"
    message: str = "Addresses found"
    items: list[TopRoute]
    total: int


class ClientItem(Schema):
    """Somebody whose keys were used; when last is not known by person, and null."""

    client_id: str = Field(description="Whose keys were used: the id of a user")
    client_name: str | None = Field(description="Whose keys were used; null where that cannot be told")
    request_count: int
    error_count: int
    avg_response_time: float
    total_tokens_used: int
    total_cost: float
    last_request_time: datetime | None = Field(default=None, description="Nothing tells it by person, so it is null")
    project_ids: list[UUID]
    model_ids: list[UUID] = Field(description="The models that were called")


class ClientAnalyticsAnswer(Answer):
    object: Literal["gateway_client_analytics"] = "gateway_client_analytics"
    message: str = "Callers found"
    items: list[ClientItem]
    total_clients: int
    total_requests: int


class SyncJob(Schema):
    name: str
    last_run_at: datetime
    due_at: datetime = Field(description="When it runs next")


class SyncAnswer(Answer):
    object: Literal["metrics.sync"] = "metrics.sync"
    message: str = "What is taken over from budmetrics, and when"
    jobs: list[SyncJob]
