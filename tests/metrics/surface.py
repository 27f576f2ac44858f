from typing import Any

import httpx
from uuid_utils.compat import uuid7

from tests.stack import address_of, http_client
from tests.surface.share import RequestContext, SeedContext, Share, Things, Valid

PERIOD = {"from_date": "2026-11-01T00:00:00Z", "to_date": "2026-11-08T00:00:00Z"}
GATEWAY_PERIOD = {"start_time": PERIOD["from_date"], "end_time": PERIOD["to_date"]}
AT = "2026-11-03T12:00:00Z"


def control() -> httpx.AsyncClient:
    """Reach budmetrics' stand-in."""
    return http_client(address_of("budmetrics"))


def source(things: Things, **fields: Any) -> dict[str, Any]:
    """Return the traffic of the things' deployment."""
    about = {"project_id": "busy_project_id", "endpoint_id": "endpoint_id", "model_id": "deployed_model_id"}
    return {**{name: things[thing] for name, thing in about.items()}, "per_hour": 0.2, **fields}


async def _seed(_context: SeedContext) -> Things:
    return {"inference_id": str(uuid7())}


async def counted(context: RequestContext) -> None:
    """Have budmetrics count requests to the deployments of both tenants, one of them under the inference's id."""
    async with control() as http:
        for things in (context.scene.here, context.scene.there):
            about = source(things)
            await http.post("/control/traffic", json=[about])
            told = {"source": about, "at": AT}
            answer = await http.put(f"/control/inferences/{things['inference_id']}", json=told)
            assert answer.status_code == 200, answer.text


def _body(**fields: Any) -> Valid:
    return Valid(lambda t: {**PERIOD, **fields}, prepare=counted)


_ANALYTICS = _body(metrics=["request_count"])
_AGGREGATED = _body(metrics=["total_requests"], group_by=["model", "endpoint"])
_SERIES = _body(metrics=["requests"], interval="1d", group_by=["endpoint"])
_GEOGRAPHY = Valid(query=lambda t: dict(PERIOD), prepare=counted)
_GATEWAY = Valid(query=lambda t: dict(GATEWAY_PERIOD), prepare=counted)
_READ = Valid(prepare=counted)
_USAGE = Valid(query=lambda t: {"from_day": "2026-11-01", "to_day": "2026-11-07"}, prepare=counted)
_LOOKS = "only looks"

share = Share(
    "metric_ops",
    seed=_seed,
    requests={
        "POST /metrics/analytics": _ANALYTICS,
        "POST /metrics/aggregated": _AGGREGATED,
        "POST /metrics/observability/metrics/aggregated": _AGGREGATED,
        "POST /metrics/time-series": _SERIES,
        "POST /metrics/observability/metrics/time-series": _SERIES,
        "GET /metrics/geography": _GEOGRAPHY,
        "GET /metrics/observability/metrics/geography": _GEOGRAPHY,
        "POST /metrics/latency-distribution": _body(group_by=["endpoint"]),
        "POST /metrics/distribution": _body(bucket_by="concurrency", metric="ttft_ms"),
        "POST /metrics/inferences/list": _body(limit=5),
        "GET /metrics/inferences/{inference_id}": _READ,
        "GET /metrics/inferences/{inference_id}/feedback": _READ,
        "POST /metrics/gateway/analytics": Valid(lambda t: dict(GATEWAY_PERIOD), prepare=counted),
        "GET /metrics/usage": _USAGE,
        "GET /metrics/usage/export": _USAGE,
        "GET /metrics/gateway/geographical-stats": _GATEWAY,
        "GET /metrics/gateway/top-routes": _GATEWAY,
        "GET /metrics/gateway/client-analytics": _GATEWAY,
    },
    changes_nothing={
        f"POST /metrics/{path}": _LOOKS
        for path in (
            *("analytics", "aggregated", "time-series", "latency-distribution", "distribution", "inferences/list"),
            *("observability/metrics/aggregated", "observability/metrics/time-series", "gateway/analytics"),
        )
    },
)
