"""What budmetrics counts of the requests to deployments, never asked without saying whose may be counted."""

import json
import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Annotated, Any, Literal, TypeVar
from uuid import UUID

from pydantic import Field, ValidationError

from budapp.commons.errors import NotFound, PeerFailed
from budapp.commons.in_flight import InFlight
from budapp.commons.logging import get_logger
from budapp.commons.storable import OutsideText
from budapp.commons.timestamps import AwareTimestamp
from budapp.integrations.dapr import DaprClient, Peer, PeerRefused
from budapp.integrations.peers import Json, Reply

logger = get_logger(__name__)

T = TypeVar("T", bound=Reply)

SECONDS = 8.0
"""Less than a request may take, so that whoever asks hears which service is slow."""
KEPT_SECONDS = 5.0
_KEPT = 256

Number = Annotated[float, Field(allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0, le=2**53)]
Column = Literal["project_id", "api_key_project_id"]


@dataclass(frozen=True, slots=True)
class TrafficScope:
    """Whose requests may be counted: those to deployments in the projects, or those with the projects' keys.

    Raises:
        ValueError: there is no project, which budmetrics would take for all of them.
    """

    column: Column
    project_ids: frozenset[UUID]

    def __post_init__(self) -> None:
        if not self.project_ids:
            raise ValueError("A scope without projects is none; don't ask")

    def within(self, project_ids: Iterable[UUID]) -> "TrafficScope | None":
        """Return the part of the scope that lies in the projects; None where none does."""
        found = self.project_ids.intersection(project_ids)
        return TrafficScope(self.column, found) if found else None

    def covers(self, row: Any) -> bool:
        """Tell whether a row of an answer is in scope; a row that names no project is a sum of what was asked."""
        project_id = getattr(row, self.column, None)
        return project_id is None or project_id in self.project_ids


class Group(Reply):
    """What a row of an answer is about."""

    model_id: UUID | None = None
    project_id: UUID | None = None
    endpoint_id: UUID | None = None
    api_key_id: UUID | None = None
    user_id: OutsideText = None
    api_key_project_id: UUID | None = None


class Figure(Reply):
    """One metric of one period; which members there are depends on the metric."""

    count: Number | None = Field(default=None, description="How many: requests, tokens, or requests at once")
    rate: Number | None = Field(default=None, description="`count` in percent of all requests")
    avg_time_ms: Number | None = None
    avg: Number | None = Field(default=None, description="Mean: in ms, or for `throughput` in tokens per second")
    p99: Number | None = Field(
        default=None, description="99th percentile: in ms, or for `throughput` in tokens per second"
    )
    p95: Number | None = Field(
        default=None, description="95th percentile: in ms, or for `throughput` in tokens per second"
    )
    hit_rate: Number | None = Field(default=None, description="Requests answered from the cache, in percent of all")
    hit_count: Count | None = Field(default=None, description="How many requests were answered from the cache")
    avg_latency_ms: Number | None = None
    delta: Number | None = Field(
        default=None, description="The change since the period before, in the unit of the main figure"
    )
    delta_percent: Number | None = None


class AnalyticsRow(Group):
    data: dict[str, Figure]


class PeriodBin(Reply):
    time_period: AwareTimestamp
    items: list[AnalyticsRow] | None = None


class Analytics(Reply):
    items: list[PeriodBin]

    def rows(self) -> Iterable[Group]:
        """Return what may name a project."""
        return (row for period in self.items for row in period.items or ())


class Value(Reply):
    value: Number
    formatted_value: OutsideText = None
    unit: OutsideText = None


class AggregatedGroup(Group):
    metrics: dict[str, Value]


class Aggregated(Reply):
    groups: list[AggregatedGroup]
    summary: dict[str, Value]

    def rows(self) -> Iterable[Group]:
        """Return what may name a project."""
        return self.groups


class Point(Reply):
    timestamp: datetime
    values: dict[str, Number | None] = {}
    value: Number | None = None


class SeriesGroup(Group):
    data_points: list[Point]


class Series(Reply):
    groups: list[SeriesGroup]
    interval: str

    def rows(self) -> Iterable[Group]:
        """Return what may name a project."""
        return self.groups


class Place(Reply):
    country_code: OutsideText = None
    country_name: OutsideText = None
    region: OutsideText = None
    city: OutsideText = None
    latitude: Number | None = None
    longitude: Number | None = None
    request_count: Count
    success_rate: Number
    avg_latency_ms: Number | None = None
    unique_users: Count | None = None
    percentage: Number


class Geography(Reply):
    locations: list[Place]
    total_requests: Count
    total_locations: Count

    def rows(self) -> Iterable[Group]:
        """Return what may name a project: nothing does."""
        return ()


class LatencyBucket(Reply):
    range: str = Field(description="From how many milliseconds to how many, in words")
    count: Count = Field(description="How many requests took so long")
    percentage: Number
    avg_latency: Number | None = Field(default=None, description="Mean time of these requests, in ms")


class LatencyGroup(Group):
    buckets: list[LatencyBucket]
    total_requests: Count


class Latencies(Reply):
    groups: list[LatencyGroup]
    overall_distribution: list[LatencyBucket]
    total_requests: Count
    bucket_definitions: list[dict[str, float | str | None]] = []

    def rows(self) -> Iterable[Group]:
        """Return what may name a project."""
        return self.groups


class SizeBucket(Reply):
    range: str = Field(description="From where to where, in words")
    bucket_start: Number = Field(description="From how many on: tokens, or requests at once")
    bucket_end: Number | None = Field(
        default=None, description="Up to how many: tokens, or requests at once; null for any number"
    )
    count: Count = Field(description="How many requests are in it")
    avg_value: Number = Field(description="Mean: in ms, or for `throughput_per_user` in tokens per second")
    min_value: Number | None = Field(
        default=None, description="The lowest: in ms, or for `throughput_per_user` in tokens per second"
    )
    max_value: Number | None = Field(
        default=None, description="The highest: in ms, or for `throughput_per_user` in tokens per second"
    )
    p50_value: Number | None = Field(
        default=None, description="Median: in ms, or for `throughput_per_user` in tokens per second"
    )
    p95_value: Number | None = Field(
        default=None, description="95th percentile: in ms, or for `throughput_per_user` in tokens per second"
    )
    p99_value: Number | None = Field(
        default=None, description="99th percentile: in ms, or for `throughput_per_user` in tokens per second"
    )


class Distribution(Reply):
    buckets: list[SizeBucket]
    total_count: Count
    bucket_definitions: list[dict[str, float | str | None]] = []

    def rows(self) -> Iterable[Group]:
        """Return what may name a project: nothing does."""
        return ()


class Listed(Group):
    inference_id: UUID
    timestamp: datetime
    model_name: OutsideText = ""
    prompt_preview: OutsideText = ""
    response_preview: OutsideText = ""
    input_tokens: Count
    output_tokens: Count
    total_tokens: Count
    response_time_ms: Count
    cost: Number | None = None
    is_success: bool
    cached: bool
    endpoint_type: str = "chat"
    error_code: OutsideText = None
    error_message: OutsideText = None
    error_type: OutsideText = None
    status_code: int | None = None


class Inferences(Reply):
    items: list[Listed]
    total_count: Count
    offset: Count
    limit: Count
    has_more: bool

    def rows(self) -> Iterable[Group]:
        """Return what may name a project."""
        return self.items


class GatewayMetadata(Reply):
    """What the gateway saw of a request."""

    client_ip: OutsideText = None
    proxy_chain: OutsideText = Field(default=None, description="Addresses of the proxies that the request came through")
    protocol_version: OutsideText = Field(default=None, description="The version of HTTP")
    country_code: OutsideText = None
    country_name: OutsideText = None
    region: OutsideText = None
    city: OutsideText = None
    latitude: Number | None = None
    longitude: Number | None = None
    timezone: OutsideText = Field(default=None, description="IANA time zone of the caller's place")
    asn: int | None = Field(default=None, description="The autonomous system of the caller's address, by its number")
    isp: OutsideText = Field(default=None, description="Whose network the caller's address is in")
    user_agent: OutsideText = None
    device_type: OutsideText = Field(default=None, description="The kind of device, by the user agent")
    browser_name: OutsideText = None
    browser_version: OutsideText = None
    os_name: OutsideText = None
    os_version: OutsideText = None
    is_bot: bool | None = Field(default=None, description="Whether the user agent looks like a program")
    method: OutsideText = None
    path: OutsideText = None
    query_params: OutsideText = Field(default=None, description="The query, as it was sent")
    request_headers: dict[str, str] | None = None
    body_size: int | None = Field(default=None, description="Size of the request, in bytes")
    api_key_id: OutsideText = None
    auth_method: OutsideText = Field(default=None, description="How the caller proved who they are")
    user_id: OutsideText = None
    gateway_processing_ms: int | None = None
    total_duration_ms: int | None = None
    routing_decision: OutsideText = Field(default=None, description="Where the gateway sent the request, in its words")
    model_version: OutsideText = Field(default=None, description="The version of the model, as the gateway knows it")
    status_code: int | None = Field(default=None, description="The HTTP status that the gateway answered")
    response_size: int | None = Field(default=None, description="Size of the response, in bytes")
    response_headers: dict[str, str] | None = None
    error_type: OutsideText = None
    error_message: OutsideText = None
    is_blocked: bool | None = None
    block_reason: OutsideText = None
    block_rule_id: OutsideText = Field(default=None, description="The rule that blocked it; null where none did")
    tags: dict[str, str] | None = Field(default=None, description="Whatever was noted of the request, by name")


class Message(Reply):
    role: OutsideText = None
    content: Any = Field(default=None, description="A text, or parts as OpenAI's API has them")


class Inference(Group):
    """All that is known of one request."""

    inference_id: UUID
    timestamp: datetime
    model_name: OutsideText = ""
    model_provider: OutsideText = ""
    system_prompt: OutsideText = None
    messages: list[Message] = []
    output: str = ""
    function_name: OutsideText = None
    variant_name: OutsideText = None
    episode_id: UUID | None = None
    input_tokens: Count
    output_tokens: Count
    response_time_ms: Count
    ttft_ms: Count | None = None
    processing_time_ms: Count | None = None
    request_ip: OutsideText = None
    request_arrival_time: datetime
    request_forward_time: datetime
    is_success: bool
    cached: bool
    finish_reason: OutsideText = None
    cost: Number | None = None
    endpoint_type: str | None = None
    error_code: OutsideText = None
    error_message: OutsideText = None
    error_type: OutsideText = None
    status_code: int | None = None
    raw_request: str | None = None
    raw_response: str | None = None
    gateway_request: Any = None
    gateway_response: Any = None
    gateway_metadata: GatewayMetadata | None = None
    feedback_count: Count = 0
    average_rating: Number | None = None


class FeedbackItem(Reply):
    feedback_id: UUID
    feedback_type: Literal["boolean", "float", "comment", "demonstration"]
    metric_name: OutsideText = None
    value: bool | float | str | None = Field(
        default=None, description="A number, yes or no, or a text, by `feedback_type`"
    )
    created_at: datetime


class Feedback(Reply):
    feedback_items: list[FeedbackItem]
    total_count: Count


class Route(Reply):
    path: str
    method: str
    count: Count
    avg_response_time: Number
    error_rate: Number


class TopRoutes(Reply):
    routes: list[Route]


class Traffic:
    """The client of one process. Every method is given the scope, and sends it whatever else is asked.

    Equal requests under way are one, and answers are kept for a few seconds, by all that was asked and its scope.

    Raises:
        NotFound: there is no such request in the scope.
        PeerFailed: budmetrics refused or failed, its answer makes no sense, or holds more than was asked for.
        Unavailable: it can't be reached, or not in time.
    """

    def __init__(self, dapr: DaprClient) -> None:
        self._dapr = dapr
        self._under_way: InFlight[str, Any] = InFlight()
        self._kept: OrderedDict[str, tuple[float, Any]] = OrderedDict()

    async def stop(self) -> None:
        """End what is under way."""
        await self._under_way.stop()

    async def analytics(self, scope: TrafficScope, body: Json) -> Analytics:
        """Return figures of periods, each with its change; only for a scope of deployments' projects."""
        if scope.column != "project_id":
            raise ValueError("budmetrics has no analytics by the keys' projects")
        filters = {**body.get("filters", {}), "project": _ids(scope)}
        return await self._ask(Analytics, scope, "observability/analytics", {**body, "filters": filters})

    async def aggregated(self, scope: TrafficScope, body: Json) -> Aggregated:
        """Return figures of a whole period."""
        return await self._filtered(Aggregated, scope, "observability/metrics/aggregated", body)

    async def series(self, scope: TrafficScope, body: Json) -> Series:
        """Return figures by interval."""
        return await self._filtered(Series, scope, "observability/metrics/time-series", body)

    async def geography(self, scope: TrafficScope, body: Json) -> Geography:
        """Return where requests came from."""
        return await self._filtered(Geography, scope, "observability/metrics/geography", body)

    async def latencies(self, scope: TrafficScope, body: Json) -> Latencies:
        """Return how many requests took how long."""
        return await self._filtered(Latencies, scope, "observability/metrics/latency-distribution", body)

    async def distribution(self, scope: TrafficScope, body: Json) -> Distribution:
        """Return a metric by the size of requests."""
        return await self._filtered(Distribution, scope, "observability/metrics/distribution", body)

    async def inferences(self, scope: TrafficScope, body: Json) -> Inferences:
        """Return a page of requests."""
        return await self._filtered(Inferences, scope, "observability/inferences/list", body)

    async def inference(self, scope: TrafficScope, inference_id: UUID) -> Inference:
        """Return one request."""
        found = await self._get(Inference, f"observability/inferences/{inference_id}")
        if getattr(found, scope.column) not in scope.project_ids:
            raise NotFound("Inference not found")
        return found

    async def feedback(self, scope: TrafficScope, inference_id: UUID) -> Feedback:
        """Return what people thought of the answer to a request."""
        await self.inference(scope, inference_id)
        return await self._get(Feedback, f"observability/inferences/{inference_id}/feedback")

    async def top_routes(self, scope: TrafficScope, project_id: UUID, query: Mapping[str, Any]) -> TopRoutes:
        """Return which addresses of a project's deployments are called most."""
        if scope.column != "project_id" or project_id not in scope.project_ids:
            raise NotFound("Project not found")
        return await self._get(TopRoutes, "observability/gateway/top-routes", {**query, "project_id": str(project_id)})

    async def _filtered(self, schema: type[T], scope: TrafficScope, path: str, body: Json) -> T:
        filters = {**body.get("filters", {}), scope.column: _ids(scope)}
        return await self._ask(schema, scope, path, {**body, "filters": filters})

    async def _ask(self, schema: type[T], scope: TrafficScope, path: str, body: Json) -> T:
        call = partial(self._dapr.invoke, Peer.BUDMETRICS, "POST", path, json=body, timeout=SECONDS, idempotent=True)
        found = _parsed(schema, path, await self._shared(f"{path} {json.dumps(body, sort_keys=True)}", call))
        rows: Iterable[Group] = found.rows()  # type: ignore[attr-defined]
        if not all(scope.covers(row) for row in rows):
            logger.error("peer_answer_too_wide", peer=Peer.BUDMETRICS, path=path)
            raise PeerFailed
        return found

    async def _get(self, schema: type[T], path: str, query: Mapping[str, Any] | None = None) -> T:
        call = partial(self._dapr.invoke, Peer.BUDMETRICS, "GET", path, params=query or {}, timeout=SECONDS)
        try:
            answer = await self._shared(f"{path} {sorted((query or {}).items())}", call)
        except PeerRefused as error:
            if error.peer_status == 404:
                raise NotFound("Inference not found") from error
            raise
        return _parsed(schema, path, answer)

    async def _shared(self, key: str, call: Any) -> Any:
        kept = self._kept.get(key)
        if kept is not None and time.monotonic() - kept[0] < KEPT_SECONDS:
            return kept[1]
        answer = await self._under_way.share(key, call)
        self._kept[key] = (time.monotonic(), answer)
        self._kept.move_to_end(key)
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return answer


def _ids(scope: TrafficScope) -> list[str]:
    return sorted(str(project_id) for project_id in scope.project_ids)


def _parsed(schema: type[T], path: str, answer: Any) -> T:
    try:
        return schema.model_validate(answer)
    except ValidationError as error:
        logger.warning("peer_failed", peer=Peer.BUDMETRICS, path=path, answer="malformed")
        raise PeerFailed from error
