"""What is counted of requests to deployments: budmetrics counts, and is always told whose requests it may count."""

from datetime import datetime
from typing import Any
from uuid import UUID

from budapp.commons.access import Caller
from budapp.commons.database import ReadSession
from budapp.integrations import traffic as peer
from budapp.integrations.peers import Json
from budapp.integrations.traffic import Traffic
from budapp.metric_ops import crud
from budapp.metric_ops import schemas as view
from budapp.metric_ops.looking import Look, look, names_for, refuse_others_groups, scope_for
from budapp.metric_ops.requests import (
    NOT_COUNTED,
    AggregatedRequest,
    AnalyticsMetric,
    AnalyticsRequest,
    Bucket,
    DistributionRequest,
    Filters,
    GeographyQuery,
    InferenceListRequest,
    LatencyRequest,
    SeriesRequest,
)

_SYNCED_BY = ("take_over_key_uses", "roll_billing_cycles")
_MAIN = {
    "latency": ("avg", "avg_latency_ms", "latency"),
    "ttft": ("avg", "avg_ttft_ms", "ttft"),
    "throughput": ("avg", "avg_throughput", ""),
    "queuing_time": ("avg_time_ms", "", ""),
    "cache": ("hit_rate", "", ""),
}
"""Metric → its main member, the other name of that, and how its percentiles are called too."""


async def count(session: ReadSession, caller: Caller) -> view.CountAnswer:
    """Count models, projects, deployments and clusters, as far as the caller may see them."""
    return view.CountAnswer.model_validate(dict((await crud.counts(session, caller))._mapping))


async def sync_jobs(session: ReadSession) -> list[view.SyncJob]:
    """Return when what budmetrics knows was taken over last."""
    rows = await crud.schedule(session, _SYNCED_BY)
    return [view.SyncJob(name=row.name, last_run_at=row.modified_at, due_at=row.due_at) for row in rows]


class Metrics:
    """Looks at the figures.

    Every method raises `NotFound` where something that is asked for is out of the caller's reach, `PeerFailed` and
    `Unavailable` where budmetrics fails. Whoever may see no project's requests gets figures of nothing, and nobody is
    asked. No database connection is held meanwhile.
    """

    def __init__(self, traffic: Traffic) -> None:
        self._traffic = traffic

    async def analytics(self, session: ReadSession, caller: Caller, data: AnalyticsRequest) -> view.AnalyticsAnswer:
        """Return figures of periods, the newest first, each with its change."""
        found = await look(session, caller, data.filters.general())
        if found is None:
            return view.AnalyticsAnswer(items=[])
        body = _body(data, found, data.end)
        body["filters"] = {name.removesuffix("_id"): values for name, values in found.filters.items()}
        answer = await self._traffic.analytics(found.scope, body)
        names = await names_for(session, caller, answer.rows())
        periods = [
            view.AnalyticsPeriod(
                time_period=period.time_period,
                items=[view.AnalyticsItem(**names.about(row), data=_figures(row.data)) for row in period.items or ()],
            )
            for period in sorted(answer.items, key=lambda period: period.time_period, reverse=True)
        ]
        return view.AnalyticsAnswer(items=periods)

    async def aggregated(self, session: ReadSession, caller: Caller, data: AggregatedRequest) -> view.AggregatedAnswer:
        """Return figures of a whole period, in all and by group."""
        refuse_others_groups(caller, data.group_by)
        found = await look(session, caller, data.filters or Filters())
        span = view.TimeSpan(from_date=data.start, to_date=data.end)
        if found is None:
            nothing = view.AggregatedFigures()
            return view.AggregatedAnswer(groups=[], summary=nothing, total_groups=0, date_range=span)
        body = _body(data, found, span.to_date, from_date=span.from_date.isoformat())
        answer = await self._traffic.aggregated(found.scope, body)
        names = await names_for(session, caller, answer.groups)
        groups = [view.AggregatedGroup(**names.about(row), metrics=_aggregated(row.metrics)) for row in answer.groups]
        summary = _aggregated(answer.summary)
        return view.AggregatedAnswer(groups=groups, summary=summary, total_groups=len(groups), date_range=span)

    async def series(self, session: ReadSession, caller: Caller, data: SeriesRequest) -> view.SeriesAnswer:
        """Return figures by interval, the oldest first; null for what budmetrics does not count by interval."""
        refuse_others_groups(caller, data.group_by)
        span = view.TimeSpan(from_date=data.from_date, to_date=data.end)
        found = await look(session, caller, data.filters or Filters())
        counted = [name for name in data.metrics if name not in NOT_COUNTED]
        if found is None or not counted:
            return view.SeriesAnswer(groups=[], interval=data.interval, date_range=span)
        body = _body(data, found, span.to_date, metrics=counted)
        answer = await self._traffic.series(found.scope, body)
        names = await names_for(session, caller, answer.groups)
        groups = [
            view.SeriesGroup(**names.about(row), data_points=[_point(one, data, counted) for one in row.data_points])
            for row in answer.groups
        ]
        return view.SeriesAnswer(groups=groups, interval=data.interval, date_range=span)

    async def geography(self, session: ReadSession, caller: Caller, query: GeographyQuery) -> view.GeographyAnswer:
        """Return where requests came from."""
        span = view.TimeSpan(from_date=query.from_date, to_date=query.end)
        found = await look(session, caller, query.general())
        locations: list[peer.Place] = []
        totals = {"total_requests": 0, "total_locations": 0}
        if found is not None:
            body = _period(span, found) | {"group_by": query.group_by, "limit": query.limit}
            answer = await self._traffic.geography(found.scope, body)
            locations = answer.locations
            totals = {name: getattr(answer, name) for name in totals}
        return view.GeographyAnswer(locations=locations, **totals, date_range=span, group_by=query.group_by)

    async def latencies(self, session: ReadSession, caller: Caller, data: LatencyRequest) -> view.LatencyAnswer:
        """Return how many requests took how long."""
        refuse_others_groups(caller, data.group_by)
        span = view.TimeSpan(from_date=data.from_date, to_date=data.end)
        found = await look(session, caller, data.filters or Filters())
        if found is None:
            return view.LatencyAnswer(
                groups=[], overall_distribution=[], total_requests=0, date_range=span, bucket_definitions=[]
            )
        answer = await self._traffic.latencies(found.scope, _body(data, found, span.to_date, **_buckets(data.buckets)))
        names = await names_for(session, caller, answer.groups)
        groups = [
            view.LatencyGroupView(**names.about(row), buckets=row.buckets, total_requests=row.total_requests)
            for row in answer.groups
        ]
        shown = _members(answer, "overall_distribution", "total_requests", "bucket_definitions")
        return view.LatencyAnswer(groups=groups, **shown, date_range=span)

    async def distribution(
        self, session: ReadSession, caller: Caller, data: DistributionRequest
    ) -> view.DistributionAnswer:
        """Return a metric by the size of requests."""
        span = view.TimeSpan(from_date=data.from_date, to_date=data.end)
        found = await look(session, caller, data.filters or Filters())
        shown: Json = {"buckets": [], "total_count": 0, "bucket_definitions": []}
        if found is not None:
            body = _body(data, found, span.to_date, **_buckets(data.buckets))
            shown = _members(await self._traffic.distribution(found.scope, body), *shown)
        return view.DistributionAnswer(**shown, bucket_by=data.bucket_by, metric=data.metric, date_range=span)

    async def inferences(self, session: ReadSession, caller: Caller, data: InferenceListRequest) -> view.InferenceList:
        """Return a page of requests."""
        found = await look(session, caller, data.general())
        if found is None:
            return view.InferenceList(items=[], total_count=0, offset=data.offset, limit=data.limit, has_more=False)
        body = _body(data, found, data.end)
        body = {name: value for name, value in body.items() if name not in {"project_id", "endpoint_id", "model_id"}}
        answer = await self._traffic.inferences(found.scope, body)
        names = await names_for(session, caller, answer.items)
        items = [view.InferenceView(**_inference(row, names.about(row))) for row in answer.items]
        return view.InferenceList(items=items, **_members(answer, "total_count", "offset", "limit", "has_more"))

    async def inference(self, session: ReadSession, caller: Caller, inference_id: UUID) -> view.InferenceAnswer:
        """Return one request."""
        scope = await scope_for(session, caller)
        found = await self._traffic.inference(scope, inference_id)
        names = await names_for(session, caller, [found])
        return view.InferenceAnswer(**_inference(found, names.about(found)))

    async def feedback(self, session: ReadSession, caller: Caller, inference_id: UUID) -> view.FeedbackAnswer:
        """Return what people thought of the answer to a request."""
        scope = await scope_for(session, caller)
        found = await self._traffic.feedback(scope, inference_id)
        return view.FeedbackAnswer(inference_id=inference_id, **_members(found, "feedback_items", "total_count"))


def _body(data: Any, found: Look, end: datetime, **more: Any) -> Json:
    """Return the request in budmetrics' words, without a scope: the client puts that in."""
    body: Json = data.model_dump(mode="json", exclude_none=True, exclude={"filters", "buckets"})
    return {**body, "to_date": end.isoformat(), "filters": found.filters, **more}


def _period(span: view.TimeSpan, found: Look) -> Json:
    return {"from_date": span.from_date.isoformat(), "to_date": span.to_date.isoformat(), "filters": found.filters}


def _buckets(buckets: list[Bucket] | None) -> Json:
    return {"buckets": [one.model_dump(exclude_none=True) for one in buckets]} if buckets else {}


def _members(found: Any, *names: str) -> Json:
    return {name: getattr(found, name) for name in names}


def _figures(data: dict[str, peer.Figure]) -> dict[AnalyticsMetric, view.FigureView]:
    return {AnalyticsMetric(name): _figure(name, figure) for name, figure in data.items() if name in _METRICS}


_METRICS = frozenset(AnalyticsMetric)


def _figure(name: str, figure: peer.Figure) -> view.FigureView:
    member, alias, percentiles = _MAIN.get(name, ("count", "", ""))
    found = {**figure.model_dump(), "value": getattr(figure, member)}
    if alias:
        found[alias] = figure.avg
    for share in ("p95", "p99") if percentiles else ():
        found[f"{percentiles}_{share}"] = getattr(figure, share)
    return view.FigureView(**found)


def _aggregated(metrics: dict[str, peer.Value]) -> view.AggregatedFigures:
    known = view.AggregatedFigures.model_fields
    return view.AggregatedFigures(
        **{name: view.ValueView.model_validate(value) for name, value in metrics.items() if name in known}
    )


def _point(point: peer.Point, data: SeriesRequest, counted: list[Any]) -> view.SeriesPoint:
    values = dict(point.values)
    if not values and point.value is not None and len(counted) == 1:
        values = {counted[0]: point.value}
    return view.SeriesPoint(timestamp=point.timestamp, values={name: values.get(name) for name in data.metrics})


def _inference(row: peer.Listed | peer.Inference, about: Json) -> Json:
    found = {name: getattr(row, name) for name in type(row).model_fields}
    named = {**about, "model_display_name": about["model_name"], "model_name": row.model_name or ""}
    return {**found, **named}
