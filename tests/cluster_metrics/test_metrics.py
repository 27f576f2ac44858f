"""What is measured in clusters: asked of two services, shared, and never an empty success."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from budapp.integrations import shared_calls
from tests.clusters.conftest import Site, bench, environment, site, stand_in
from tests.peers.conftest import StandIn
from tests.workflows.conftest import Json

__all__ = ["bench", "environment", "site", "stand_in"]

PATHS = {
    "metrics": "budmetrics",
    "node-metrics": "budmetrics",
    "node-events/node-1": "budmetrics",
    "metrics/gpu": "budmetrics",
    "nodes/node-1/metrics/gpu": "budmetrics",
    "nodes/node-1/metrics/gpu/timeseries": "budmetrics",
    "nodes/node-1/metrics/cpu/timeseries": "budmetrics",
    "metrics/summary": "budmetrics",
    "metrics/nodes": "budmetrics",
    "metrics/pods": "budmetrics",
    "storage-classes": "budcluster",
}


@dataclass
class Measured:
    site: Site
    cluster: Json
    budmetrics: StandIn

    async def get(self, path: str, status: int = 200, **query: Any) -> Json:
        return await self.site.bench.call("GET", f"/clusters/{self.cluster['id']}/{path}", status, params=query)

    def peer(self, name: str) -> StandIn:
        return self.budmetrics if name == "budmetrics" else self.site.budcluster


@pytest.fixture
async def measured(site: Site, stand_in: Callable[[str], StandIn]) -> AsyncIterator[Measured]:
    found = Measured(site, await site.onboarded(), stand_in("budmetrics"))
    yield found
    await found.budmetrics.behave()


async def test_nodes_are_what_both_services_know(measured: Measured) -> None:
    site, cluster = measured.site, measured.cluster
    await site.control("PUT", f"{cluster['cluster_id']}/nodes/node-2", {"status": False})
    nodes = (await measured.get("node-metrics"))["nodes"]
    assert nodes.keys() == {"node-1", "node-2"}
    up, down = nodes["node-1"], nodes["node-2"]
    assert (up["status"], up["cpu"]["capacity"], up["gpu"]["capacity"]) == ("Ready", 64.0, 4.0)
    assert 0 < up["memory"]["current"] < up["memory"]["capacity"]
    assert len(up["network"]["bandwidth"]) == 2
    assert (down["status"], down["memory"]["current"], down["events_count"]) == ("NotReady", None, 1)
    events = await measured.get("node-events/node-2", limit=5)
    assert [(one["reason"], one["count"]) for one in events["events"]] == [("NodeNotReady", 1)]
    assert (events["total_record"], events["total_pages"]) == (1, 1)
    health = await site.bench.call("GET", f"/clusters/clusters/{cluster['id']}/metrics/health")
    assert (health["status"], health["issues"]) == ("degraded", ["Node node-2 is not ready"])


async def test_what_happened_to_a_machine_comes_page_by_page(measured: Measured) -> None:
    about = {"event_type": "Normal", "message": "m", "count": 1, "source_component": "kubelet", "source_host": "node-1"}
    events = [{**about, "reason": f"Reason {number}"} for number in range(5)]
    path = f"cluster-metrics/{measured.cluster['cluster_id']}/node-events"
    await measured.budmetrics.does_wrong(path, status=200, answer={"events": events, "total_events": 5})
    found = await measured.get("node-events/node-1", limit=2, page=2)
    assert [one["reason"] for one in found["events"]] == ["Reason 2", "Reason 3"]
    assert (found["total_record"], found["total_pages"]) == (5, 3)


async def test_metrics_have_the_parts_that_were_asked_for(measured: Measured) -> None:
    everything = await measured.get("metrics")
    assert everything["cluster_summary"]["power"]["total_watts"] > 0
    assert everything["cluster_summary"]["network_in"]["time_series"]
    gpu = (await measured.get("metrics", metric_type="gpu", filter="7days"))["cluster_summary"]
    assert (gpu["gpu"]["usage_percent"] > 0, gpu["cpu"]) == (True, None)
    storage = await measured.get("metrics", metric_type="storage")
    assert (storage["metric_type"], storage["cluster_summary"]["storage"]["total_gib"]) == ("storage", 256.0)
    await measured.get("metrics", 422, metric_type="luck")


async def test_graphics_cards_and_their_series(measured: Measured) -> None:
    gpu = await measured.get("metrics/gpu")
    assert (gpu["summary"]["total_gpus"], len(gpu["devices"]), len(gpu["nodes"])) == (8, 8, 2)
    assert {one["node_name"] for one in gpu["nodes"][0]["devices"]} == {gpu["nodes"][0]["node_name"]}
    series = await measured.get("nodes/node-1/metrics/gpu/timeseries", hours=2)
    assert [len(one) for one in series["gpu_utilization"]] == [len(series["timestamps"])] * 4
    cpu = await measured.get("nodes/node-1/metrics/cpu/timeseries")
    assert len(cpu["cpu_usage_percent"]) == len(cpu["timestamps"]) == 72
    await measured.get("nodes/node-1/metrics/cpu/timeseries", 422, hours=169)
    await measured.get("nodes/node-9/metrics/gpu", 404)


async def test_series_of_a_period_are_of_this_cluster_whatever_the_body_says(measured: Measured) -> None:
    path = f"/clusters/clusters/{measured.cluster['id']}/metrics/query"
    period = {"from_time": "2026-01-01T00:00:00Z", "to_time": "2026-01-01T01:00:00Z"}
    body = {**period, "metric_names": ["cpu_usage"], "cluster_id": "somebody else's"}
    found = await measured.site.bench.call("POST", path, json=body)
    assert [(one["metric_name"], len(one["values"])) for one in found["metrics"]] == [("cpu_usage", 12)]
    [asked] = [
        one for one in await measured.budmetrics.requests(measured.cluster["cluster_id"]) if one["method"] == "POST"
    ]
    assert asked["body"]["cluster_id"] == measured.cluster["cluster_id"]
    await measured.site.bench.call("POST", path, 422, json={**period, "to_time": "2025-01-01T00:00:00Z"})


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(("fault", "status"), [({"status": 500}, 502), ({"status": 200}, 502)])
async def test_a_service_that_fails_is_502_and_never_an_empty_success(
    measured: Measured, path: str, fault: Json, status: int
) -> None:
    await measured.peer(PATHS[path]).does_wrong(measured.cluster["cluster_id"], **fault)
    failed = await measured.get(path, status)
    assert failed["object"] == "error"


@pytest.mark.parametrize("path", ["metrics", "node-metrics", "storage-classes"])
async def test_a_service_that_hangs_is_503_in_time(
    measured: Measured, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_calls, "SECONDS", 0.5)
    await measured.peer(PATHS[path]).does_wrong(measured.cluster["cluster_id"], hang=True)
    answer = await measured.site.bench.http.get(
        f"/clusters/{measured.cluster['id']}/{path}", headers=measured.site.bench.person.headers
    )
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")


@pytest.mark.parametrize(
    "answer", [{}, {"nodes": "none"}, {"cluster_summary": None}, {"param": {"storage_classes": 1}}]
)
async def test_nonsense_is_502(measured: Measured, answer: Json) -> None:
    for path, peer in PATHS.items():
        await measured.peer(peer).does_wrong(measured.cluster["cluster_id"], status=200, answer=answer or {"x": 1})
        assert (await measured.get(path, 502))["object"] == "error"


async def test_equal_requests_at_once_are_one_call(measured: Measured) -> None:
    await measured.budmetrics.does_wrong(measured.cluster["cluster_id"], delay_seconds=0.5)
    answers = await asyncio.gather(*(measured.get("metrics/gpu") for _ in range(5)), measured.get("metrics"))
    assert all(answer == answers[0] for answer in answers[:5])
    asked = [one["path"] for one in await measured.budmetrics.requests(measured.cluster["cluster_id"])]
    assert sorted(path.rpartition("/")[2] for path in asked) == ["hami-gpu", "prometheus-compatible"]


async def test_who_stops_waiting_does_not_stop_it_for_the_others(measured: Measured) -> None:
    await measured.budmetrics.does_wrong(measured.cluster["cluster_id"], delay_seconds=0.5)
    first, second = [asyncio.create_task(measured.get("metrics/gpu")) for _ in range(2)]
    await asyncio.sleep(0.2)
    first.cancel()
    assert (await second)["summary"]["total_gpus"] == 8


async def test_storage_classes_and_the_dashboard(measured: Measured) -> None:
    classes = (await measured.get("storage-classes"))["storage_classes"]
    assert [(one["name"], one["default"]) for one in classes] == [("local-path", True), ("nfs-shared", False)]
