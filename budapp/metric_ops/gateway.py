"""The figures of the gateway's routes, put together from what budmetrics counts by project."""

import asyncio
from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from budapp.commons.access import Caller
from budapp.commons.database import ReadSession
from budapp.commons.errors import UnprocessableContent
from budapp.integrations import traffic as peer
from budapp.integrations.peers import Json
from budapp.integrations.traffic import Traffic
from budapp.metric_ops import schemas as view
from budapp.metric_ops.looking import Look, Names, look, names_for, names_of
from budapp.metric_ops.requests import Filters, GatewayAnalyticsRequest, GatewayPeriod, GatewayQuery, TopRoutesQuery

_SERIES = ("requests", "error_count", "error_rate", "avg_latency", "p95_latency", "p99_latency", "tokens", "cost")
_AGGREGATES = ("total_requests", "error_rate", "avg_latency", "total_tokens", "total_cost")
MOST_PROJECTS = 25
"""budmetrics tells the most called addresses of one project at a time."""
_AT_ONCE = 5


class GatewayMetrics:
    """Looks at what the gateway sees; for the people who run deployments. Errors are those of `Metrics`."""

    def __init__(self, traffic: Traffic) -> None:
        self._traffic = traffic

    async def analytics(
        self, session: ReadSession, caller: Caller, data: GatewayAnalyticsRequest
    ) -> view.GatewayAnalyticsAnswer:
        """Return figures by interval, the oldest first."""
        found = await look(session, caller, data.general())
        if found is None:
            return view.GatewayAnalyticsAnswer(items=[], summary=view.GatewaySummary())
        body = _period(data, found) | {"interval": data.time_bucket, "metrics": list(_SERIES)}
        body |= {"group_by": data.group_by} if data.group_by else {}
        answer = await self._traffic.series(found.scope, body)
        names = await names_for(session, caller, answer.groups)
        buckets: dict[datetime, list[view.GatewayItem]] = {}
        for group in answer.groups:
            for point in group.data_points:
                buckets.setdefault(point.timestamp, []).append(_item(point, names.about(group)))
        items = [view.GatewayBucket(timestamp=moment, items=found) for moment, found in sorted(buckets.items())]
        return view.GatewayAnalyticsAnswer(items=items, summary=_summary(items))

    async def places(self, session: ReadSession, caller: Caller, query: GatewayQuery) -> view.GeographicalAnswer:
        """Return where requests came from, by city."""
        found = await look(session, caller, Filters(project_id=query.project_ids))
        if found is None:
            return view.GeographicalAnswer(items=[], total=0)
        body = _period(query, found) | {"group_by": "city", "limit": 1_000}
        answer = await self._traffic.geography(found.scope, body)
        items = [_place(place) for place in answer.locations]
        return view.GeographicalAnswer(items=items, total=answer.total_locations)

    async def top_routes(self, session: ReadSession, caller: Caller, query: TopRoutesQuery) -> view.TopRoutesAnswer:
        """Return which addresses are called most, by project.

        Raises:
            UnprocessableContent: that would be more projects than budmetrics can be asked about.
        """
        found = await look(session, caller, Filters(project_id=query.project_ids))
        if found is None:
            return view.TopRoutesAnswer(items=[], total=0)
        projects = sorted(found.scope.project_ids)
        if len(projects) > MOST_PROJECTS:
            raise UnprocessableContent(f"Name at most {MOST_PROJECTS} projects", param="project_ids")
        turns = asyncio.Semaphore(_AT_ONCE)
        params = {"from_date": query.start.isoformat(), "to_date": query.end.isoformat(), "limit": query.limit}

        async def routes(project_id: UUID) -> list[peer.Route]:
            async with turns:
                return (await self._traffic.top_routes(found.scope, project_id, params)).routes

        answers = await asyncio.gather(*(routes(project_id) for project_id in projects))
        names = await names_of(session, caller, {"project": projects})
        pairs = zip(projects, answers, strict=True)
        items = [_route(route, project_id, names) for project_id, routes in pairs for route in routes]
        items.sort(key=lambda item: item.request_count, reverse=True)
        return view.TopRoutesAnswer(items=items[: query.limit], total=len(items))

    async def clients(self, session: ReadSession, caller: Caller, query: GatewayQuery) -> view.ClientAnalyticsAnswer:
        """Return whose keys were used how much, the busiest first."""
        found = await look(session, caller, Filters(project_id=query.project_ids))
        if found is None:
            return view.ClientAnalyticsAnswer(items=[], total_clients=0, total_requests=0)
        body = _period(query, found) | {"group_by": ["user", "project", "model"], "metrics": list(_AGGREGATES)}
        answer = await self._traffic.aggregated(found.scope, body)
        by_user: dict[str, list[peer.AggregatedGroup]] = {}
        for group in answer.groups:
            by_user.setdefault(group.user_id or "", []).append(group)
        names = await names_of(session, caller, {"user": _uuids(by_user)})
        items = [_client(user_id, groups, names) for user_id, groups in by_user.items()]
        items.sort(key=lambda item: item.request_count, reverse=True)
        total = sum(item.request_count for item in items)
        return view.ClientAnalyticsAnswer(items=items, total_clients=len(items), total_requests=total)


def _period(data: GatewayPeriod, found: Look) -> Json:
    return {"from_date": data.start.isoformat(), "to_date": data.end.isoformat(), "filters": found.filters}


def _item(point: peer.Point, about: Json) -> view.GatewayItem:
    values = {name: point.values.get(name) or 0 for name in _SERIES}
    return view.GatewayItem(
        **about,
        timestamp=point.timestamp,
        total_requests=int(values["requests"]),
        error_count=int(values["error_count"]),
        error_rate=values["error_rate"],
        avg_response_time=values["avg_latency"],
        p95_response_time=point.values.get("p95_latency"),
        p99_response_time=point.values.get("p99_latency"),
        total_tokens_used=int(values["tokens"]),
        total_cost=values["cost"],
    )


def _summary(buckets: Iterable[view.GatewayBucket]) -> view.GatewaySummary:
    items = [item for bucket in buckets for item in bucket.items]
    names = view.GatewaySummary.model_fields
    return view.GatewaySummary(**{name: sum(getattr(item, name) or 0 for item in items) for name in names})


def _place(place: peer.Place) -> view.GeographicalItem:
    return view.GeographicalItem(
        country=place.country_name or place.country_code or "Unknown",
        country_code=place.country_code or "",
        region=place.region,
        city=place.city,
        request_count=place.request_count,
        error_count=round(place.request_count * (100 - place.success_rate) / 100),
        avg_response_time=place.avg_latency_ms or 0.0,
    )


def _route(route: peer.Route, project_id: UUID, names: Names) -> view.TopRoute:
    return view.TopRoute(
        route=route.path,
        method=route.method,
        request_count=route.count,
        error_count=round(route.count * route.error_rate / 100),
        avg_response_time=route.avg_response_time,
        error_rate=route.error_rate,
        project_id=project_id,
        project_name=names.of("project", project_id),
    )


def _client(user_id: str, groups: list[peer.AggregatedGroup], names: Names) -> view.ClientItem:
    def total(name: str) -> float:
        return sum(_value(group, name) for group in groups)

    def weighted(name: str) -> float:
        return sum(_value(group, name) * _value(group, "total_requests") for group in groups)

    requests = total("total_requests")
    return view.ClientItem(
        client_id=user_id,
        client_name=next((names.of("user", one) for one in _uuids([user_id])), None),
        request_count=int(requests),
        error_count=round(weighted("error_rate") / 100),
        avg_response_time=weighted("avg_latency") / requests if requests else 0.0,
        total_tokens_used=int(total("total_tokens")),
        total_cost=total("total_cost"),
        project_ids=sorted({group.project_id for group in groups if group.project_id is not None}),
        model_ids=sorted({group.model_id for group in groups if group.model_id is not None}),
    )


def _value(group: peer.AggregatedGroup, name: str) -> float:
    found = group.metrics.get(name)
    return found.value if found is not None else 0.0


def _uuids(texts: Iterable[Any]) -> list[UUID]:
    """Return those of the texts that are ids; budmetrics calls who has none by nothing at all."""
    found = []
    for text in texts:
        try:
            found.append(UUID(text))
        except ValueError:
            continue
    return found
