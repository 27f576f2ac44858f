"""What the pages of budadmin ask for when they are opened."""

import asyncio
from datetime import UTC, datetime, timedelta

from tests.frontend.window import Json, Window


def _figures(metric: str, group_by: str | None, days: int = 7) -> Json:
    begin = datetime.now(UTC) - timedelta(days=2 * days)  # twice what is shown, for the change
    body: Json = {"metrics": [metric], "from_date": begin.isoformat(), "frequency_unit": "day"}
    body |= {"frequency_interval": 1, "return_delta": True, "fill_time_gaps": True}
    return body | ({"group_by": [group_by], "topk": 4} if group_by else {})


async def dashboard(window: Window) -> Json:
    """Ask for all of the first page at once, as it does; return its counts."""
    await window.open_page()
    figures = [
        ("request_count", "project"),
        ("request_count", "model"),
        ("input_token", "model"),
        ("throughput", "model"),
        ("latency", "model"),
        ("request_count", None),
    ]
    best = {"benchmarks": ["mmlu", "arcc", "gsm8k", "math", "humaneval"], "k": 5}
    counts, leaders, *found = await asyncio.gather(
        window.get("/metrics/count"),
        window.post("/models/top-leaderboards", best),
        *(window.post("/metrics/analytics", _figures(metric, group)) for metric, group in figures),
    )
    assert "leaderboards" in leaders
    for one in found:
        moments = [period["time_period"] for period in one["items"]]
        assert moments == sorted(moments, reverse=True), "the page takes the first half for the present"
    return counts


async def projects(window: Window) -> list[Json]:
    await window.open_page()
    found = await window.get("/projects/", page=1, limit=10, order_by="-created_at", search=False)
    return [item["project"] for item in found["projects"]]


async def project(window: Window, project_id: str) -> Json:
    """Open a project with its deployments; return it."""
    await window.open_page()
    shown: Json = (await window.get(f"/projects/{project_id}"))["project"]
    await window.get(f"/projects/{project_id}/users", page=1, limit=10000, search=False)
    await endpoints(window, project_id)
    await window.get(f"/projects/{project_id}/clusters")
    return shown


async def endpoints(window: Window, project_id: str) -> list[Json]:
    query: Json = {"page": 1, "limit": 10, "search": False, "order_by": "-created_at", "project_id": project_id}
    found = await window.send("GET", "/endpoints/", query=query, project_id=project_id)
    return list(found["endpoints"])


async def endpoint(window: Window, project_id: str, endpoint_id: str) -> Json:
    """Open a deployment; return what its page shows."""
    await project(window, project_id)
    path = f"/endpoints/{endpoint_id}"
    detail: Json = (await window.get(f"{path}/model-cluster-detail", project_id=project_id))["result"]
    now = datetime.now(UTC)
    about = _figures("request_count", None) | {"filters": {"endpoint": [endpoint_id]}, "to_date": now.isoformat()}
    await window.post("/metrics/analytics", about)
    await window.get(f"{path}/adapters", page=1, limit=10, order_by="-created_at", project_id=project_id)
    await window.get(f"{path}/deployment-settings")
    await window.get(f"{path}/autoscale", project_id=project_id)
    await window.get(f"{path}/pricing/history", page=1, limit=10)
    return detail


async def models(window: Window, table_source: str = "model") -> list[Json]:
    """Open the models; each must have what the page takes for granted."""
    await window.open_page()
    await asyncio.gather(window.get("/models/tasks"), window.get("/models/authors", page=1, limit=1000))
    query: Json = {"page": 1, "limit": 100, "order_by": "-created_at", "search": False, "table_source": table_source}
    found = [item["model"] for item in (await window.get("/models/", **query))["models"]]
    assert all(model["icon"] or model["provider"] for model in found), "the page breaks without either"
    return found


async def clusters(window: Window) -> list[Json]:
    await window.open_page()
    found = await window.get("/clusters/clusters", page=1, limit=10, search=False, order_by="-created_at")
    return list(found["clusters"])


async def cluster(window: Window, cluster_id: str) -> Json:
    """Open a cluster with all its tabs; return it."""
    await window.open_page()
    path = f"/clusters/{cluster_id}"
    shown: Json = (await window.get(path))["cluster"]
    await window.get(f"{path}/metrics", filter="today", metric_type="all")
    await window.get(f"{path}/metrics/gpu")
    await window.get(f"{path}/endpoints", page=1, limit=10, search=False, order_by="-created_at")
    await window.get(f"{path}/node-metrics")
    await window.get(f"{path}/storage-classes")
    return shown


async def keys(window: Window, project_id: str) -> list[Json]:
    await window.open_page()
    query: Json = {"page": 1, "limit": 100, "search": False, "order_by": "-last_used_at"}
    found = await window.get("/credentials/", **query, project_id=project_id)
    return list(found["credentials"])
