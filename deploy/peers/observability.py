"""The part of the stand-in for budmetrics that looks at requests: analytics, lists, distributions, geography."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID, uuid5

from fastapi import APIRouter, HTTPException, Response, status
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from peers.figures import AGGREGATES, ANALYTICS, SERIES, aggregated, mean, percent, percentile, with_change
from peers.traffic import PLACES, Inference, Source, Told, Traffic, about, in_detail, moment

Ids = list[UUID] | UUID
Filters = dict[str, Any]
Rows = Sequence[Inference]
DataSource = Literal["inference", "prompt"]
_GROUPS = {
    "model": "model_id",
    "project": "project_id",
    "endpoint": "endpoint_id",
    "api_key": "api_key_id",
    "user": "user_id",
    "user_project": "api_key_project_id",
}
_FILTERS = {*_GROUPS.values(), "prompt_id"}
_UNITS = {"minute": 60, "hour": 3600, "day": 86_400, "week": 604_800}
_INTERVALS = {
    **{"1m": 60, "5m": 300, "15m": 900, "30m": 1800, "1h": 3600, "6h": 21_600, "12h": 43_200},
    **{"1d": 86_400, "1w": 604_800},
}
_LATENCIES = ((0, 100), (100, 500), (500, 1000), (1000, 2000), (2000, 5000), (5000, None))


class Period(BaseModel):
    """A request about a period."""

    model_config = ConfigDict(extra="forbid")

    from_date: AwareDatetime
    to_date: AwareDatetime | None = None
    filters: Filters | None = None
    data_source: DataSource = "inference"

    @property
    def end(self) -> datetime:
        """Now, where it is not said."""
        return self.to_date or datetime.now(UTC)


class Analytics(Period):
    """The body of `observability/analytics`."""

    metrics: list[str] = Field(min_length=1)
    frequency_unit: Literal["hour", "day", "week", "month", "quarter", "year"] = "day"
    frequency_interval: int | None = Field(default=None, ge=1)
    filters: dict[Literal["model", "project", "endpoint", "prompt"], list[UUID | str] | UUID | str] | None = None  # type: ignore[assignment]
    group_by: list[Literal["model", "project", "endpoint", "user_project", "api_key"]] | None = None
    return_delta: bool = True
    fill_time_gaps: bool = True
    topk: int | None = Field(default=None, ge=1)


class Aggregated(Period):
    """The body of `observability/metrics/aggregated`."""

    from_date: AwareDatetime | None = None  # type: ignore[assignment]
    metrics: list[str] = Field(min_length=1)
    group_by: list[Literal["model", "project", "endpoint", "user", "user_project"]] | None = None


class Series(Period):
    """The body of `observability/metrics/time-series`."""

    interval: Literal["1m", "5m", "15m", "30m", "1h", "6h", "12h", "1d", "1w"] = "1h"
    metrics: list[str] = Field(min_length=1)
    group_by: list[Literal["model", "project", "endpoint", "user_project"]] | None = None
    fill_gaps: bool = True


class Geography(Period):
    """The body of `observability/metrics/geography`."""

    group_by: Literal["country", "region", "city"] = "country"
    limit: int = Field(default=50, ge=1)


class Latencies(Period):
    """The body of `observability/metrics/latency-distribution`."""

    group_by: list[Literal["model", "project", "endpoint", "user", "user_project"]] | None = None
    buckets: list[dict[str, int | str | None]] | None = None


class Distribution(Period):
    """The body of `observability/metrics/distribution`."""

    bucket_by: Literal["concurrency", "input_tokens", "output_tokens"]
    metric: Literal["total_duration_ms", "ttft_ms", "response_time_ms", "throughput_per_user"]
    buckets: list[dict[str, float | str | None]] | None = None


class Listing(Period):
    """The body of `observability/inferences/list`."""

    offset: int = Field(default=0, ge=0)
    limit: int = Field(default=50, ge=1, le=1000)
    project_id: UUID | None = None
    endpoint_id: UUID | None = None
    model_id: UUID | None = None
    is_success: bool | None = None
    min_tokens: int | None = None
    max_tokens: int | None = None
    max_latency_ms: int | None = None
    endpoint_type: str | None = None
    sort_by: Literal["timestamp", "tokens", "latency", "cost"] = "timestamp"
    sort_order: Literal["asc", "desc"] = "desc"


_SORTS: dict[str, Callable[[Inference], float]] = {
    "timestamp": lambda one: one.at,
    "tokens": lambda one: one.input_tokens + one.output_tokens,
    "latency": lambda one: one.latency_ms,
    "cost": lambda one: one.cost,
}


class Observability:
    """The routes."""

    def __init__(self, traffic: Traffic) -> None:
        self._traffic = traffic
        self._blocked: dict[str, int] = {}

    async def analytics(self, asked: Analytics) -> dict[str, Any]:
        """Say what was done in each period, the newest first, and how it has changed since the one before."""
        _known(asked.metrics, ANALYTICS)
        starts = _periods(asked)
        edges = [*starts, _following(asked, starts[-1])]
        early = _following(asked, starts[0], backwards=True)
        filters = {f"{name}_id": value for name, value in (asked.filters or {}).items()}
        found = await self._rows(asked.data_source, early, min(edges[-1], asked.end), filters)
        groups = _grouped(found, asked.group_by)
        if asked.topk:
            biggest = sorted(groups, key=lambda key: -len(groups[key]))[: asked.topk]
            groups = {key: groups[key] for key in biggest}
        spans = list(zip([early, *starts], edges, strict=True))
        bins = {key: [_figures(asked, _within(rows, *span)) for span in spans] for key, rows in groups.items()}
        items = []
        for number, start in reversed(list(enumerate(starts, 1))):
            shown = [
                _data(asked, key, figures, number) for key, figures in bins.items() if _shows(asked, figures, number)
            ]
            items.append({"time_period": start, "items": shown or None})
        return {"object": "observability_metrics", "items": items}

    async def aggregated(self, asked: Aggregated) -> dict[str, Any]:
        """Say what was done in all."""
        _known(asked.metrics, AGGREGATES)
        start = asked.from_date or datetime.now(UTC) - timedelta(days=30)
        rows = await self._rows(asked.data_source, start, asked.end, _filters(asked))
        groups = [
            {**dict(key), "metrics": aggregated(asked.metrics, part)}
            for key, part in _grouped(rows, asked.group_by).items()
        ]
        groups = groups if asked.group_by else []
        return {
            "object": "aggregated_metrics",
            "groups": groups,
            "summary": aggregated(asked.metrics, rows),
            "total_groups": len(groups),
            "date_range": {"from": start, "to": asked.end},
        }

    async def series(self, asked: Series) -> dict[str, Any]:
        """Say what was done in each interval, the oldest first."""
        _known(asked.metrics, SERIES)
        step = _INTERVALS[asked.interval]
        rows = await self._rows(asked.data_source, asked.from_date, asked.end, _filters(asked))
        groups = _grouped(rows, asked.group_by)
        first, last = int(asked.from_date.timestamp() // step), int(asked.end.timestamp() // step)
        shown = []
        for key, part in groups.items():
            by_bin: dict[int, list[Inference]] = {}
            for one in part:
                by_bin.setdefault(int(one.at // step), []).append(one)
            wanted = range(first, last + 1) if asked.fill_gaps else sorted(by_bin)
            points = [
                {
                    "timestamp": moment(number * step),
                    "values": {name: SERIES[name](by_bin.get(number, [])) for name in asked.metrics},
                }
                for number in wanted
            ]
            shown.append({**dict(key), "data_points": points})
        about_it = {"interval": asked.interval, "date_range": {"from": asked.from_date, "to": asked.end}}
        return {"object": "time_series", "groups": shown, **about_it}

    async def geography(self, asked: Geography) -> dict[str, Any]:
        """Say where requests came from."""
        rows = await self._rows(asked.data_source, asked.from_date, asked.end, _filters(asked))
        by_place: dict[int, list[Inference]] = {}
        for one in rows:
            by_place.setdefault(one.place, []).append(one)
        found = sorted(by_place.items(), key=lambda item: -len(item[1]))
        locations = [_location(PLACES[place], asked.group_by, part, len(rows)) for place, part in found]
        return {
            "object": "geographic_data",
            "locations": locations[: asked.limit],
            "total_requests": len(rows),
            "total_locations": len(locations),
            "date_range": {"from": asked.from_date, "to": asked.end},
            "group_by": asked.group_by,
        }

    async def latencies(self, asked: Latencies) -> dict[str, Any]:
        """Say how many requests took how long."""
        rows = await self._rows(asked.data_source, asked.from_date, asked.end, _filters(asked))
        spans = [(one.get("min"), one.get("max")) for one in asked.buckets] if asked.buckets else _LATENCIES
        groups = [
            {**dict(key), "buckets": _by_latency(part, spans), "total_requests": len(part)}
            for key, part in _grouped(rows, asked.group_by).items()
        ]
        return {
            "object": "latency_distribution",
            "groups": groups if asked.group_by else [],
            "overall_distribution": _by_latency(rows, spans),
            "total_requests": len(rows),
            "date_range": {"from": asked.from_date, "to": asked.end},
            "bucket_definitions": [
                {"min": low or 0, "max": high or 0, "label": _label(low, high)} for low, high in spans
            ],
        }

    async def distribution(self, asked: Distribution) -> dict[str, Any]:
        """Say what a metric is for requests of each size."""
        rows = await self._rows("inference", asked.from_date, asked.end, _filters(asked))
        spans = (
            [(one.get("min"), one.get("max")) for one in asked.buckets] if asked.buckets else _sizes(asked.bucket_by)
        )
        value = _METRICS[asked.metric]
        buckets = []
        for low, high in spans:
            part = [value(one) for one in rows if (low or 0) <= getattr(one, asked.bucket_by) < (high or float("inf"))]
            about_it = {
                "range": f"{low or 0:g}-{'' if high is None else format(high, 'g')}",
                "bucket_start": low,
                "bucket_end": high,
                "count": len(part),
            }
            more = {"min_value": min(part, default=0.0), "max_value": max(part, default=0.0)}
            shares = {f"p{share}_value": percentile(part, share / 100) for share in (50, 95, 99)}
            buckets.append({**about_it, "avg_value": mean(part), **more, **shares})
        return {
            "object": "prompt_distribution",
            "buckets": buckets,
            "total_count": sum(one["count"] for one in buckets),
            "bucket_by": asked.bucket_by,
            "metric": asked.metric,
            "date_range": {"from": asked.from_date, "to": asked.end},
            "bucket_definitions": [{"min": low, "max": high} for low, high in spans],
        }

    async def inferences(self, asked: Listing) -> dict[str, Any]:
        """List requests."""
        named = {name: getattr(asked, name) for name in ("project_id", "endpoint_id", "model_id")}
        rows = await self._rows(asked.data_source, asked.from_date, asked.end, _filters(asked))
        rows = [one for one in rows if all(value in {None, getattr(one.source, name)} for name, value in named.items())]
        rows = [one for one in rows if _wanted(one, asked)]
        rows.sort(key=_SORTS[asked.sort_by], reverse=asked.sort_order == "desc")
        page = rows[asked.offset : asked.offset + asked.limit]
        return {
            "object": "inference_list",
            "items": [about(one) for one in page],
            "total_count": len(rows),
            "offset": asked.offset,
            "limit": asked.limit,
            "has_more": asked.offset + len(page) < len(rows),
        }

    async def inference(self, inference_id: UUID) -> dict[str, Any]:
        """Say all that is known of a request."""
        return in_detail(await self._found(inference_id))

    async def feedback(self, inference_id: UUID) -> dict[str, Any]:
        """Say what people thought of an answer."""
        one = await self._found(inference_id)
        item = {
            "feedback_id": uuid5(inference_id, "rating"),
            "feedback_type": "float",
            "metric_name": "rating",
            "value": 4.0,
            "created_at": moment(one.at + 60),
        }
        return {
            "object": "inference_feedback",
            "inference_id": inference_id,
            "feedback_items": [item],
            "total_count": 1,
        }

    async def top_routes(
        self,
        from_date: AwareDatetime,
        to_date: AwareDatetime | None = None,
        limit: int = 10,
        project_id: UUID | None = None,
        data_source: DataSource = "inference",
    ) -> dict[str, Any]:
        """Say which addresses are called most."""
        filters = {"project_id": project_id} if project_id else {}
        rows = await self._rows(data_source, from_date, to_date or datetime.now(UTC), filters)
        figures = {
            "path": "/v1/chat/completions",
            "method": "POST",
            "count": len(rows),
            "avg_response_time": mean([float(one.latency_ms) for one in rows]),
            "error_rate": percent(sum(not one.success for one in rows), len(rows)),
        }
        return {"object": "top_routes", "routes": [figures][: limit if rows else 0]}

    async def blocking_stats(
        self,
        from_date: AwareDatetime,
        to_date: AwareDatetime | None = None,
        project_id: UUID | None = None,
        data_source: DataSource = "inference",
    ) -> dict[str, Any]:
        """Say whom the gateway has turned away: what was told, in the last hour."""
        end = to_date or datetime.now(UTC)
        told = self._blocked if from_date <= datetime.now(UTC) and end > from_date else {}
        total = sum(told.values())
        address = {"ip": "203.0.113.7", "country": "DE", "count": total}
        return {
            "object": "gateway_blocking_stats",
            "total_blocked": total,
            "block_rate": 1.5 if total else 0.0,
            "blocked_by_rule": told,
            "blocked_by_reason": {"rule": total} if total else {},
            "top_blocked_ips": [address] if total else [],
            "time_series": [{"timestamp": end, "blocked_count": total}] if total else [],
        }

    async def tell_blocked(self, counts: dict[str, int]) -> dict[str, int]:
        """Have the gateway have turned people away so often, by the name of the rule."""
        self._blocked = counts
        return counts

    async def forget_blocked(self) -> Response:
        """Have it have turned nobody away."""
        self._blocked = {}
        return Response(status_code=status.HTTP_204_NO_CONTENT)

    async def add_sources(self, sources: list[Source]) -> list[Source]:
        """Have there be traffic of these, too."""
        self._traffic.told_sources.update({one.digest: one for one in sources})
        return sources

    async def tell(self, inference_id: UUID, told: Told) -> Told:
        """Put in one request."""
        self._traffic.tell(inference_id, told)
        return told

    async def forget(self, project_id: UUID) -> Response:
        """Forget the sources and requests of the project that were put in."""
        self._traffic.forget(project_id)
        return Response(status_code=status.HTTP_204_NO_CONTENT)

    async def _rows(self, source: str, start: datetime, end: datetime, filters: Filters) -> list[Inference]:
        if end < start:
            raise HTTPException(status.HTTP_400_BAD_REQUEST, "The period ends before it starts")
        return await self._traffic.between(start, end, filters) if source == "inference" else []

    async def _found(self, inference_id: UUID) -> Inference:
        found = await self._traffic.find(inference_id)
        if found is None:
            raise HTTPException(status.HTTP_404_NOT_FOUND, "No such inference")
        return found


def _known(names: list[str], known: dict[str, Any]) -> None:
    if not set(names) <= known.keys():
        raise HTTPException(status.HTTP_422_UNPROCESSABLE_ENTITY, "Unknown metric")


def _filters(asked: Period) -> Filters:
    filters = asked.filters or {}
    if not filters.keys() <= _FILTERS:
        raise HTTPException(status.HTTP_422_UNPROCESSABLE_ENTITY, "Unknown filter")
    return filters


def _grouped(rows: Rows, group_by: Sequence[str] | None) -> dict[tuple[tuple[str, Any], ...], list[Inference]]:
    groups: dict[tuple[tuple[str, Any], ...], list[Inference]] = {} if group_by else {(): []}
    names = [_GROUPS[name] for name in group_by or ()]
    for one in rows:
        key = tuple((name, getattr(one.source, name)) for name in names)
        groups.setdefault(key, []).append(one)
    return groups


def _periods(asked: Analytics) -> list[datetime]:
    """Return when the periods start, the oldest first."""
    start = asked.from_date.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    if asked.frequency_unit != "hour":
        start = start.replace(hour=0)
    if asked.frequency_unit == "week":
        start -= timedelta(days=start.weekday())
    if asked.frequency_unit in {"month", "quarter", "year"}:
        start = start.replace(day=1)
    if asked.frequency_unit == "year":
        start = start.replace(month=1)
    found = [start]
    while (start := _following(asked, start)) < asked.end:
        found.append(start)
    return found


def _following(asked: Analytics, start: datetime, *, backwards: bool = False) -> datetime:
    number = (asked.frequency_interval or 1) * (-1 if backwards else 1)
    if asked.frequency_unit in _UNITS:
        return start + timedelta(seconds=_UNITS[asked.frequency_unit] * number)
    months = start.year * 12 + start.month - 1 + number * {"month": 1, "quarter": 3, "year": 12}[asked.frequency_unit]
    return start.replace(year=months // 12, month=months % 12 + 1)


def _within(rows: Rows, start: datetime, end: datetime) -> Rows:
    first, last = start.timestamp(), end.timestamp()
    return [one for one in rows if first <= one.at < last]


def _figures(asked: Analytics, rows: Rows) -> dict[str, Any]:
    return {name: ANALYTICS[name][0](rows) for name in asked.metrics} | {"": len(rows)}


def _shows(asked: Analytics, figures: list[dict[str, Any]], number: int) -> bool:
    return asked.fill_time_gaps or bool(figures[number][""])


def _data(
    asked: Analytics, key: tuple[tuple[str, Any], ...], figures: list[dict[str, Any]], number: int
) -> dict[str, Any]:
    before = figures[number - 1] if asked.return_delta else {}
    data = {name: with_change(name, figures[number][name], before.get(name)) for name in asked.metrics}
    return {**dict(key), "data": data}


def _location(place: tuple[Any, ...], group_by: str, rows: Rows, whole: int) -> dict[str, Any]:
    names = ("country_code", "country_name", "region", "city", "latitude", "longitude")
    known = dict(zip(names, place, strict=True))
    if group_by != "city":
        known["city"] = None
    if group_by == "country":
        known["region"] = None
    return {
        **known,
        "request_count": len(rows),
        "success_rate": percent(sum(one.success for one in rows), len(rows)),
        "avg_latency_ms": mean([float(one.latency_ms) for one in rows]),
        "unique_users": len({one.source.user_id for one in rows}),
        "percentage": percent(len(rows), whole),
    }


def _label(low: Any, high: Any) -> str:
    return f"{low or 0}-{high}ms" if high else f">{low}ms"


def _by_latency(rows: Rows, spans: Any) -> list[dict[str, Any]]:
    found = []
    for low, high in spans:
        part = [float(one.latency_ms) for one in rows if (low or 0) <= one.latency_ms < (high or float("inf"))]
        share = percent(len(part), len(rows))
        found.append({"range": _label(low, high), "count": len(part), "percentage": share, "avg_latency": mean(part)})
    return found


_METRICS: dict[str, Callable[[Inference], float]] = {
    "total_duration_ms": lambda one: float(one.latency_ms),
    "response_time_ms": lambda one: float(one.latency_ms),
    "ttft_ms": lambda one: float(one.ttft_ms),
    "throughput_per_user": lambda one: one.throughput,
}


def _sizes(bucket_by: str) -> list[tuple[float, float]]:
    step = 8 if bucket_by == "concurrency" else 250
    return [(number * step, (number + 1) * step) for number in range(5)]


def _wanted(one: Inference, asked: Listing) -> bool:
    tokens = one.input_tokens + one.output_tokens
    return (
        asked.is_success in {None, one.success}
        and (asked.min_tokens is None or tokens >= asked.min_tokens)
        and (asked.max_tokens is None or tokens <= asked.max_tokens)
        and (asked.max_latency_ms is None or one.latency_ms <= asked.max_latency_ms)
        and asked.endpoint_type in {None, "chat"}
    )


def router(traffic: Traffic) -> APIRouter:
    """Return the routes of the contract, and those that put traffic in."""
    metrics = Observability(traffic)
    routes = APIRouter()
    for path, function in (
        ("analytics", metrics.analytics),
        ("inferences/list", metrics.inferences),
        ("metrics/aggregated", metrics.aggregated),
        ("metrics/time-series", metrics.series),
        ("metrics/geography", metrics.geography),
        ("metrics/latency-distribution", metrics.latencies),
        ("metrics/distribution", metrics.distribution),
    ):
        routes.add_api_route(f"/observability/{path}", function, methods=["POST"])
    routes.add_api_route("/observability/inferences/{inference_id}", metrics.inference)
    routes.add_api_route("/observability/inferences/{inference_id}/feedback", metrics.feedback)
    routes.add_api_route("/observability/gateway/top-routes", metrics.top_routes)
    routes.add_api_route("/observability/gateway/blocking-stats", metrics.blocking_stats)
    routes.add_api_route("/control/blocked", metrics.tell_blocked, methods=["PUT"], tags=["control"])
    routes.add_api_route(
        "/control/blocked", metrics.forget_blocked, methods=["DELETE"], tags=["control"], status_code=204
    )
    routes.add_api_route("/control/traffic", metrics.add_sources, methods=["POST"], tags=["control"])
    routes.add_api_route("/control/traffic", metrics.forget, methods=["DELETE"], tags=["control"], status_code=204)
    routes.add_api_route("/control/inferences/{inference_id}", metrics.tell, methods=["PUT"], tags=["control"])
    return routes
