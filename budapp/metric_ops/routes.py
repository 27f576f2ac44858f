from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from budapp.commons.access import Caller, Requires
from budapp.commons.database import Read
from budapp.commons.domain import provided
from budapp.commons.openapi import download
from budapp.commons.scopes import Scope
from budapp.metric_ops import requests as ask
from budapp.metric_ops import schemas as view
from budapp.metric_ops import services
from budapp.metric_ops.gateway import GatewayMetrics
from budapp.metric_ops.looking import RequiresStaff
from budapp.metric_ops.services import Metrics
from budapp.metric_ops.usage import Usage, UsageByDay, UsageQuery, as_csv

router = APIRouter(prefix="/metrics", tags=["metrics"])

Looker = Annotated[Caller, Depends(Requires(Scope.PROJECT_VIEW))]
Staff = Annotated[Caller, Depends(RequiresStaff(Scope.PROJECT_VIEW))]
Administrator = Annotated[Caller, Depends(Requires(Scope.USER_MANAGE))]
MetricsDep = Annotated[Metrics, provided(Metrics)]
GatewayDep = Annotated[GatewayMetrics, provided(GatewayMetrics)]
UsageDep = Annotated[Usage, provided(Usage)]
UsageParams = Annotated[UsageQuery, Query()]
GatewayQuery = Annotated[ask.GatewayQuery, Query()]


@router.get("/count")
async def count(caller: Looker, session: Read) -> view.CountAnswer:
    """Count the models, projects, deployments and clusters that the caller may see."""
    return await services.count(session, caller)


@router.get("/sync-stats")
async def get_sync_stats(_caller: Administrator, session: Read) -> view.SyncAnswer:
    """Tell when what budmetrics knows was taken over last."""
    return view.SyncAnswer(jobs=await services.sync_jobs(session))


@router.get("/usage")
async def list_usage(caller: Looker, session: Read, usage: UsageDep, query: UsageParams) -> UsageByDay:
    """List what was used day by day: by project, deployment, model or API key."""
    rows = await usage.rows(session, caller, query)
    return UsageByDay(by=query.by, from_day=query.first, to_day=query.last, rows=rows)


@router.get("/usage/export", response_class=Response, responses=download("text/csv"))
async def export_usage(caller: Looker, session: Read, usage: UsageDep, query: UsageParams) -> Response:
    """Export what was used day by day as CSV."""
    lines = as_csv(await usage.rows(session, caller, query))
    headers = {"Content-Disposition": 'attachment; filename="usage.csv"', "Cache-Control": "no-store"}
    return Response(b"".join(lines), media_type="text/csv; charset=utf-8", headers=headers)


@router.post("/analytics", response_model_exclude_none=True)  # a figure has the members of its kind
async def analyse(
    data: ask.AnalyticsRequest, caller: Staff, session: Read, metrics: MetricsDep
) -> view.AnalyticsAnswer:
    """Return figures of periods, the newest first, each with its change since the one before; no field is null."""
    return await metrics.analytics(session, caller, data)


@router.post("/aggregated")
@router.post("/observability/metrics/aggregated")
async def aggregate(
    data: ask.AggregatedRequest, caller: Looker, session: Read, metrics: MetricsDep
) -> view.AggregatedAnswer:
    """Return figures of a whole period, in all and by group."""
    return await metrics.aggregated(session, caller, data)


@router.post("/time-series")
@router.post("/observability/metrics/time-series")
async def get_series(data: ask.SeriesRequest, caller: Looker, session: Read, metrics: MetricsDep) -> view.SeriesAnswer:
    """Return figures by interval, the oldest first."""
    return await metrics.series(session, caller, data)


@router.get("/geography")
@router.get("/observability/metrics/geography")
async def get_geography(
    caller: Looker, session: Read, metrics: MetricsDep, query: Annotated[ask.GeographyQuery, Query()]
) -> view.GeographyAnswer:
    """Return where requests came from."""
    return await metrics.geography(session, caller, query)


@router.post("/latency-distribution")
async def get_latencies(
    data: ask.LatencyRequest, caller: Looker, session: Read, metrics: MetricsDep
) -> view.LatencyAnswer:
    """Return how many requests took how long."""
    return await metrics.latencies(session, caller, data)


@router.post("/distribution")
async def get_distribution(
    data: ask.DistributionRequest, caller: Looker, session: Read, metrics: MetricsDep
) -> view.DistributionAnswer:
    """Return a metric by the size of requests."""
    return await metrics.distribution(session, caller, data)


@router.post("/inferences/list")
async def list_inferences(
    data: ask.InferenceListRequest, caller: Looker, session: Read, metrics: MetricsDep
) -> view.InferenceList:
    """List requests."""
    return await metrics.inferences(session, caller, data)


@router.get("/inferences/{inference_id}")
async def get_inference(inference_id: UUID, caller: Looker, session: Read, metrics: MetricsDep) -> view.InferenceAnswer:
    """Get all that is known of a request."""
    return await metrics.inference(session, caller, inference_id)


@router.get("/inferences/{inference_id}/feedback")
async def list_feedback(inference_id: UUID, caller: Looker, session: Read, metrics: MetricsDep) -> view.FeedbackAnswer:
    """List what people thought of the answer to a request."""
    return await metrics.feedback(session, caller, inference_id)


@router.post("/gateway/analytics")
async def analyse_gateway(
    data: ask.GatewayAnalyticsRequest, caller: Staff, session: Read, metrics: GatewayDep
) -> view.GatewayAnalyticsAnswer:
    """Return what the gateway passed on, by interval."""
    return await metrics.analytics(session, caller, data)


@router.get("/gateway/geographical-stats")
async def list_places(
    caller: Staff, session: Read, metrics: GatewayDep, query: GatewayQuery
) -> view.GeographicalAnswer:
    """List the places that the gateway was called from."""
    return await metrics.places(session, caller, query)


@router.get("/gateway/top-routes")
async def list_top_routes(
    caller: Staff, session: Read, metrics: GatewayDep, query: Annotated[ask.TopRoutesQuery, Query()]
) -> view.TopRoutesAnswer:
    """List the gateway's addresses that are called most, by project."""
    return await metrics.top_routes(session, caller, query)


@router.get("/gateway/client-analytics")
async def list_clients(
    caller: Staff, session: Read, metrics: GatewayDep, query: GatewayQuery
) -> view.ClientAnalyticsAnswer:
    """List whose keys were used how much."""
    return await metrics.clients(session, caller, query)
