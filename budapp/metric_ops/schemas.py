from datetime import datetime
from typing import Any, Literal
from uuid import UUID

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
    total_project_users: int = 0
    total_endpoints_count: int = 0
    running_endpoints_count: int = 0
    total_clusters: int = 0
    inactive_clusters: int = 0


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

    value: float | None = None
    avg_throughput: float | None = None
    avg_ttft_ms: float | None = None
    latency_p95: float | None = None
    latency_p99: float | None = None
    ttft_p95: float | None = None
    ttft_p99: float | None = None


class AnalyticsItem(Named):
    api_key_id: UUID | None = None
    api_key_name: str | None = None
    data: dict[AnalyticsMetric, FigureView]


class AnalyticsPeriod(Schema):
    time_period: datetime
    items: list[AnalyticsItem]


class AnalyticsAnswer(Answer):
    """The newest period first; each figure tells how it has changed since the period before."""

    object: Literal["observability_metrics"] = "observability_metrics"
    message: str = "Figures found"
    items: list[AnalyticsPeriod]


class ValueView(Schema):
    value: float
    formatted_value: str | None = None
    unit: str | None = None


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
    timestamp: datetime
    values: dict[str, float | None]


class SeriesGroup(Named):
    data_points: list[SeriesPoint]


class SeriesAnswer(Answer):
    """The oldest interval first."""

    object: Literal["time_series"] = "time_series"
    message: str = "Series found"
    groups: list[SeriesGroup]
    interval: str
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
    bucket_definitions: list[dict[str, float | str | None]]


class DistributionAnswer(Answer):
    object: Literal["prompt_distribution"] = "prompt_distribution"
    message: str = "Distribution found"
    buckets: list[peer.SizeBucket]
    total_count: int
    bucket_by: str
    metric: str
    date_range: TimeSpan
    bucket_definitions: list[dict[str, float | str | None]]


class InferenceView(Named):
    inference_id: UUID
    timestamp: datetime
    model_name: str
    model_display_name: str | None = None
    prompt_preview: str
    response_preview: str
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
    status_code: int | None = None


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
    timestamp: datetime
    model_name: str
    model_display_name: str | None = None
    model_provider: str
    system_prompt: str | None
    messages: list[peer.Message]
    output: str
    function_name: str | None
    variant_name: str | None
    episode_id: UUID | None
    input_tokens: int
    output_tokens: int
    response_time_ms: int
    ttft_ms: int | None
    processing_time_ms: int | None
    request_ip: str | None
    request_arrival_time: datetime
    request_forward_time: datetime
    is_success: bool
    cached: bool
    finish_reason: str | None
    cost: float | None
    endpoint_type: str | None
    error_code: str | None
    error_message: str | None
    error_type: str | None
    status_code: int | None
    raw_request: str | None
    raw_response: str | None
    gateway_request: Any
    gateway_response: Any
    gateway_metadata: peer.GatewayMetadata | None
    feedback_count: int
    average_rating: float | None


class FeedbackAnswer(Answer):
    object: Literal["inference_feedback"] = "inference_feedback"
    message: str = "Feedback found"
    code: Literal[200] = 200
    inference_id: UUID
    feedback_items: list[peer.FeedbackItem]
    total_count: int


class GatewayItem(Named):
    timestamp: datetime
    total_requests: int = 0
    error_count: int = 0
    error_rate: float = 0.0
    avg_response_time: float = 0.0
    p95_response_time: float | None = None
    p99_response_time: float | None = None
    total_tokens_used: int | None = None
    total_cost: float | None = None


class GatewayBucket(Schema):
    timestamp: datetime
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

    route: str
    method: str
    request_count: int
    error_count: int
    avg_response_time: float
    error_rate: float
    p95_response_time: float | None = None
    p99_response_time: float | None = None
    project_id: UUID
    project_name: str | None


class TopRoutesAnswer(Answer):
    object: Literal["gateway_top_routes"] = "gateway_top_routes"
    message: str = "Addresses found"
    items: list[TopRoute]
    total: int


class ClientItem(Schema):
    """Somebody whose keys were used; when last is not known by person, and null."""

    client_id: str
    client_name: str | None
    request_count: int
    error_count: int
    avg_response_time: float
    total_tokens_used: int
    total_cost: float
    last_request_time: datetime | None = None
    project_ids: list[UUID]
    model_ids: list[UUID]


class ClientAnalyticsAnswer(Answer):
    object: Literal["gateway_client_analytics"] = "gateway_client_analytics"
    message: str = "Callers found"
    items: list[ClientItem]
    total_clients: int
    total_requests: int


class SyncJob(Schema):
    name: str
    last_run_at: datetime
    due_at: datetime


class SyncAnswer(Answer):
    object: Literal["metrics.sync"] = "metrics.sync"
    message: str = "What is taken over from budmetrics, and when"
    jobs: list[SyncJob]
