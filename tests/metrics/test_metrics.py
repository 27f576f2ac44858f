"""Figures of requests: checked before budmetrics is asked, shared, named, and never an empty success."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
import pytest
from uuid_utils.compat import uuid7

from budapp.commons.database import Database
from budapp.endpoint_ops.models import Endpoint
from budapp.integrations import traffic
from budapp.integrations.traffic import TrafficScope
from budapp.model_ops.models import Model
from tests.cast import Cast, Person
from tests.peers.conftest import StandIn, environment, stand_in
from tests.projects.data import create, credential_row, endpoint_row, join
from tests.statements import Statements

__all__ = ["environment", "stand_in"]

Json = dict[str, Any]
WEEK: Json = {"from_date": "2026-11-01T00:00:00Z", "to_date": "2026-11-08T00:00:00Z"}
ANALYTICS, AGGREGATED, SERIES = "/metrics/analytics", "/metrics/aggregated", "/metrics/time-series"


@dataclass
class Counted:
    """A project with two deployments, of which budmetrics counts requests."""

    client: httpx.AsyncClient
    budmetrics: StandIn
    person: Person
    project: Json
    endpoints: list[str]
    model_id: str
    key_id: str

    async def post(self, path: str, status: int = 200, **body: Any) -> Json:
        answer = await self.client.post(path, json=body, headers=self.person.headers)
        assert answer.status_code == status, answer.text
        return dict(answer.json())

    async def get(self, path: str, status: int = 200, **query: Any) -> Json:
        answer = await self.client.get(path, params=query, headers=self.person.headers)
        assert answer.status_code == status, answer.text
        return dict(answer.json())

    async def asked(self) -> list[Json]:
        return await self.budmetrics.requests(self.project["id"])


@pytest.fixture
async def counted(
    client: httpx.AsyncClient,
    cast: Cast,
    database: Database,
    stand_in: Callable[[str], StandIn],
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Counted]:
    monkeypatch.setattr(traffic, "KEPT_SECONDS", 0)
    project = await create(client, cast.manager)
    await join(database, project["id"], cast.developer)
    about: Json = {"modality": ["text_input"], "supported_endpoints": [], "source": "local", "provider_type": "disk"}
    mine = {"tenant_id": cast.tenant_id, "created_by": cast.manager.id}
    model = Model(id=uuid7(), name="Counted model", uri="acme/counted", **about, **mine)
    endpoints = [
        endpoint_row(project["id"], cast.manager, id=uuid7(), name=f"counted-{n}", model_id=model.id) for n in (1, 2)
    ]
    key = credential_row(project["id"], cast.developer, name="Counted key", id=uuid7())
    ids = [str(one.id) for one in endpoints]
    async with database.write() as session:
        session.add(model)
        await session.flush()
        session.add_all([*endpoints, key])
    budmetrics = stand_in("budmetrics")
    common = {"project_id": project["id"], "model_id": str(model.id), "api_key_id": str(key.id)}
    common |= {"api_key_project_id": project["id"], "user_id": str(cast.developer.id)}
    answer = await budmetrics.http.post("/control/traffic", json=[{**common, "endpoint_id": one} for one in ids])
    assert answer.status_code == 200, answer.text
    yield Counted(client, budmetrics, cast.developer, project, ids, str(model.id), str(key.id))
    await budmetrics.behave()
    await budmetrics.http.delete("/control/traffic", params={"project_id": project["id"]})


async def test_periods_come_newest_first_with_their_change_and_names(counted: Counted) -> None:
    asked: Json = {**WEEK, "metrics": ["request_count", "latency"], "group_by": ["endpoint", "api_key", "project"]}
    items = (await counted.post(ANALYTICS, **asked))["items"]
    assert [one["time_period"][:10] for one in items] == [f"2026-11-0{day}" for day in range(7, 0, -1)]
    rows = {row["endpoint_name"]: row for row in items[0]["items"]}
    assert rows.keys() == {"counted-1", "counted-2"}
    before = {row["endpoint_name"]: row for row in items[1]["items"]}
    for name, row in rows.items():
        assert (row["project_name"], row["api_key_name"]) == (counted.project["name"], "Counted key")
        count = row["data"]["request_count"]
        earlier = before[name]["data"]["request_count"]["count"]
        assert (count["value"], count["delta"]) == (count["count"], count["count"] - earlier)
        latency = row["data"]["latency"]
        assert latency["avg_latency_ms"] == latency["avg"] == latency["value"] <= latency["latency_p95"]


async def test_a_figure_has_the_members_of_its_kind_and_none_is_null(counted: Counted) -> None:
    asked: Json = {**WEEK, "metrics": ["request_count", "throughput", "queuing_time"], "group_by": ["endpoint"]}
    row = (await counted.post(ANALYTICS, **asked))["items"][0]["items"][0]
    assert row.keys() == {"endpoint_id", "endpoint_name", "data"}
    changes = {"value", "delta", "delta_percent"}
    counts, times, rates = (row["data"][name].keys() for name in ("request_count", "queuing_time", "throughput"))
    assert counts - {"rate"} == changes | {"count"}
    assert times == changes | {"avg_time_ms"}
    assert rates - {"p95", "p99"} == changes | {"avg", "avg_throughput"}


async def test_totals_are_the_sums_of_their_parts(counted: Counted) -> None:
    asked: Json = {**WEEK, "metrics": ["total_requests", "total_tokens", "total_cost"], "group_by": ["endpoint"]}
    found = await counted.post(AGGREGATED, **asked)
    for name in ("total_requests", "total_tokens", "total_cost"):
        parts = sum(group["metrics"][name]["value"] for group in found["groups"])
        assert parts == pytest.approx(found["summary"][name]["value"])
    daily = await counted.post(ANALYTICS, **WEEK, metrics=["request_count"])
    total = sum(one["items"][0]["data"]["request_count"]["count"] for one in daily["items"])
    assert total == found["summary"]["total_requests"]["value"] > 0
    series = await counted.post(SERIES, **WEEK, metrics=["requests", "input_tokens"], interval="6h")
    [group] = series["groups"]
    assert sum(one["values"]["requests"] for one in group["data_points"]) == total
    assert {one["values"]["input_tokens"] for one in group["data_points"]} == {None}
    latencies = await counted.post("/metrics/latency-distribution", **WEEK, group_by=["endpoint"])
    assert sum(one["count"] for one in latencies["overall_distribution"]) == total
    places = await counted.get("/metrics/geography", **WEEK)
    assert sum(one["request_count"] for one in places["locations"]) == places["total_requests"] == total
    gateway: Json = {"start_time": WEEK["from_date"], "end_time": WEEK["to_date"]}
    assert (await counted.post("/metrics/gateway/analytics", **gateway))["summary"]["total_requests"] == total
    callers = await counted.get("/metrics/gateway/client-analytics", **gateway)
    assert (callers["total_requests"], callers["items"][0]["client_name"]) == (total, "developer")
    routes = await counted.get("/metrics/gateway/top-routes", **gateway, project_ids=counted.project["id"])
    assert sum(one["request_count"] for one in routes["items"]) == total


async def test_of_the_routes_of_all_projects_only_so_many_are_shown(
    counted: Counted, client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    other = await create(client, cast.manager, name="Other")
    await join(database, other["id"], cast.developer)
    traffic_there = [{"project_id": other["id"], "endpoint_id": str(uuid7()), "model_id": counted.model_id}]
    answer = await counted.budmetrics.http.post("/control/traffic", json=traffic_there)
    assert answer.status_code == 200, answer.text
    period: Json = {"start_time": WEEK["from_date"], "end_time": WEEK["to_date"]}
    found = await counted.get("/metrics/gateway/top-routes", **period, limit=1)
    await counted.budmetrics.http.delete("/control/traffic", params={"project_id": other["id"]})
    assert (len(found["items"]), found["total"]) == (1, 2)


async def test_filters_narrow_and_an_empty_one_selects_nothing(counted: Counted) -> None:
    both = await counted.post(AGGREGATED, **WEEK, metrics=["total_requests"])
    filters: Json = {"endpoint_id": counted.endpoints[0], "model_id": [counted.model_id]}
    one = await counted.post(AGGREGATED, **WEEK, metrics=["total_requests"], filters=filters)
    assert 0 < one["summary"]["total_requests"]["value"] < both["summary"]["total_requests"]["value"]
    asked = len(await counted.asked())
    for filters in ({"project_id": []}, {"endpoint_id": []}):
        none = await counted.post(AGGREGATED, **WEEK, metrics=["total_requests"], filters=filters)
        assert (none["summary"]["total_requests"], none["groups"]) == (None, [])
    assert (await counted.post(ANALYTICS, **WEEK, metrics=["latency"], filters={"model": []}))["items"] == []
    assert len(await counted.asked()) == asked


async def test_a_request_is_listed_and_found_with_what_people_thought_of_it(counted: Counted) -> None:
    body: Json = {**WEEK, "limit": 3, "sort_by": "tokens", "endpoint_id": counted.endpoints[1], "is_success": True}
    listed = await counted.post("/metrics/inferences/list", **body)
    tokens = [one["total_tokens"] for one in listed["items"]]
    assert (len(tokens), tokens, listed["has_more"]) == (3, sorted(tokens, reverse=True), True)
    first = listed["items"][0]
    assert (first["endpoint_name"], first["model_display_name"]) == ("counted-2", "Counted model")
    found = await counted.get(f"/metrics/inferences/{first['inference_id']}")
    assert (found["input_tokens"], found["project_name"]) == (first["input_tokens"], counted.project["name"])
    assert found["gateway_metadata"]["method"] == "POST"
    feedback = await counted.get(f"/metrics/inferences/{first['inference_id']}/feedback")
    assert (feedback["total_count"], feedback["feedback_items"][0]["value"]) == (1, 4.0)


async def test_foreign_requests_projects_and_deployments_are_not_there(
    counted: Counted, cast: Cast, client: httpx.AsyncClient
) -> None:
    listed = await counted.post("/metrics/inferences/list", **WEEK, limit=1)
    path = f"/metrics/inferences/{listed['items'][0]['inference_id']}"
    for person in (cast.tester, cast.client, cast.other_admin):
        assert (await client.get(path, headers=person.headers)).status_code == 404
        assert (await client.get(f"{path}/feedback", headers=person.headers)).status_code == 404
    counted.person = cast.other_admin
    for filters in ({"project_id": counted.project["id"]}, {"endpoint_id": counted.endpoints}):
        await counted.post(AGGREGATED, 404, **WEEK, metrics=["total_requests"], filters=filters)
        await counted.post(SERIES, 404, **WEEK, metrics=["requests"], filters=filters)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (ANALYTICS, {"metrics": ["luck"]}),
        (ANALYTICS, {"metrics": []}),
        (ANALYTICS, {"metrics": ["latency"], "filters": {"tenant": []}}),
        (ANALYTICS, {"metrics": ["latency"], "group_by": ["planet"]}),
        (ANALYTICS, {"metrics": ["latency"], "from_date": "2025-01-01T00:00:00Z", "frequency_unit": "hour"}),
        (ANALYTICS, {"metrics": ["latency"], "from_date": "2020-01-01T00:00:00Z"}),
        (SERIES, {"metrics": ["requests"], "from_date": "2025-11-08T00:00:00Z", "interval": "1m"}),
        (SERIES, {"metrics": ["requests"], "filters": {"api_key": "x"}}),
        (SERIES, {"metrics": ["requests"], "to_date": "2026-10-01T00:00:00Z"}),
        (AGGREGATED, {"metrics": ["total_requests"], "filters": {"is_admin": True}}),
        ("/metrics/distribution", {"bucket_by": "luck", "metric": "ttft_ms"}),
        ("/metrics/latency-distribution", {"buckets": [{"min": 5, "max": 5}]}),
        ("/metrics/inferences/list", {"limit": 0}),
    ],
)
async def test_what_makes_no_sense_is_422_and_budmetrics_is_not_asked(counted: Counted, path: str, body: Json) -> None:
    await counted.post(path, 422, **{**WEEK, **body})
    assert await counted.asked() == []


async def test_equal_requests_at_once_are_one_and_answers_are_kept_for_a_moment(
    counted: Counted, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    await counted.budmetrics.does_wrong(counted.project["id"], delay_seconds=0.5)
    body: Json = {**WEEK, "metrics": ["request_count"]}
    await asyncio.gather(*(counted.post(ANALYTICS, **body) for _ in range(6)))
    assert len(await counted.asked()) == 1
    monkeypatch.setattr(traffic, "KEPT_SECONDS", 60)
    await counted.post(ANALYTICS, **body)
    assert len(await counted.asked()) == 1
    counted.person = cast.tester  # whose scope is another one
    assert (await counted.post(ANALYTICS, **body))["items"] == []


@pytest.mark.parametrize("fault", [{"status": 500}, {"status": 200}, {"status": 422}])
async def test_a_failing_budmetrics_is_502(counted: Counted, fault: Json) -> None:
    await counted.budmetrics.does_wrong(counted.project["id"], **fault)
    assert (await counted.post(ANALYTICS, 502, **WEEK, metrics=["latency"]))["object"] == "error"


async def test_a_hanging_budmetrics_is_503_in_time(counted: Counted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traffic, "SECONDS", 0.5)
    await counted.budmetrics.does_wrong(counted.project["id"], hang=True)
    await counted.post(SERIES, 503, **WEEK, metrics=["requests"])


async def test_an_answer_that_is_wider_than_the_question_is_refused(counted: Counted) -> None:
    foreign = {"project_id": str(uuid7()), "metrics": {"total_requests": {"value": 7}}}
    wide: Json = {
        "object": "aggregated_metrics",
        "groups": [foreign],
        "summary": {},
        "total_groups": 1,
        "date_range": {},
    }
    await counted.budmetrics.does_wrong(counted.project["id"], status=200, answer=wide)
    await counted.post(AGGREGATED, 502, **WEEK, metrics=["total_requests"], group_by=["project"])


def test_there_is_no_scope_without_projects() -> None:
    with pytest.raises(ValueError, match="without projects"):
        TrafficScope("project_id", frozenset())
    scope = TrafficScope("project_id", frozenset({UUID(int=1), UUID(int=2)}))
    assert scope.within([UUID(int=2), UUID(int=3)]) == TrafficScope("project_id", frozenset({UUID(int=2)}))
    assert scope.within([UUID(int=3)]) is None


async def test_a_customers_user_sees_what_their_own_keys_did(
    counted: Counted, cast: Cast, client: httpx.AsyncClient
) -> None:
    own = await create(client, cast.client)
    source: Json = {
        "endpoint_id": counted.endpoints[0],
        "model_id": counted.model_id,
        "project_id": counted.project["id"],
    }
    source |= {"api_key_project_id": own["id"], "per_hour": 1}
    await counted.budmetrics.http.post("/control/traffic", json=[source])
    counted.person = cast.client
    found = await counted.post(AGGREGATED, **WEEK, metrics=["total_requests"], group_by=["user_project"])
    [group] = found["groups"]
    assert (group["api_key_project_name"], group["project_name"]) == (own["name"], None)
    listed = await counted.post("/metrics/inferences/list", **WEEK, limit=2)
    assert [(one["project_id"], one["api_key_project_id"]) for one in listed["items"]] == [(None, own["id"])] * 2
    await counted.post(AGGREGATED, 422, **WEEK, metrics=["total_requests"], group_by=["project"])
    await counted.post(ANALYTICS, 403, **WEEK, metrics=["latency"])


async def test_a_customers_user_knows_of_published_deployments_only(
    counted: Counted, cast: Cast, client: httpx.AsyncClient, database: Database
) -> None:
    await create(client, cast.client)
    published, hidden = counted.endpoints
    async with database.write() as session:
        (await session.get_one(Endpoint, UUID(published))).is_published = True
    counted.person = cast.client
    assert (await counted.get("/metrics/count"))["total_endpoints_count"] == 1
    for endpoint_id, status in ((published, 200), (hidden, 404)):
        filters = {"endpoint_id": [endpoint_id]}
        await counted.post(AGGREGATED, status, **WEEK, metrics=["total_requests"], filters=filters)


async def test_counts_are_of_what_the_caller_may_see(counted: Counted, cast: Cast) -> None:
    own = await counted.get("/metrics/count")
    assert (own["total_projects"], own["total_project_users"], own["total_endpoints_count"]) == (1, 2, 2)
    assert (own["running_endpoints_count"], own["total_model_count"], own["local_model_count"]) == (2, 1, 1)
    for person in (cast.tester, cast.other_admin):
        counted.person = person
        others = await counted.get("/metrics/count")
        assert (others["total_projects"], others["total_endpoints_count"]) == (0, 0)
    counted.person = cast.admin
    jobs = await counted.get("/metrics/sync-stats")
    assert jobs["object"] == "metrics.sync"


async def test_figures_cost_two_statements(counted: Counted, statements: Statements) -> None:
    body: Json = {**WEEK, "metrics": ["request_count"], "group_by": ["model", "endpoint", "project"]}
    await counted.post(ANALYTICS, **body)
    statements.clear()
    await counted.post(ANALYTICS, **body)
    assert len(statements) == 2
