"""Clusters that are there: lists, changes, deletion as it goes wrong, reports in any order, silence."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from budapp.cluster_ops.reports import watch_for_silence
from budapp.commons.config import Settings
from tests.cast import Cast
from tests.clusters.conftest import ONBOARD, Site
from tests.projects.data import add, cluster_row, create, endpoint_row, messages
from tests.statements import Statements
from tests.workflows.conftest import Json


async def sent(site: Site) -> list[str]:
    """Return the types of what people were told."""
    found = [payload for _, payload in await messages(site.bench.database) if "payload" in payload]
    return [one["payload"]["type"] for one in found]


async def row(site: Site, cast: Cast, name: str = "Lab", **fields: Any) -> str:
    cluster = cluster_row(cast.manager, name, **{"cluster_id": uuid4(), **fields})
    await add(site.bench.database, cluster)
    return str(cluster.id)


@pytest.fixture
async def three(site: Site, cast: Cast) -> None:
    await row(site, cast, "alpha", cpu_count=2, total_nodes=1)
    await row(site, cast, "beta", gpu_count=1, status="not_available", reason="gone", total_nodes=3)
    await row(site, cast, "gamma", hpu_count=1, cluster_type="CLOUD", region="r", total_nodes=2)
    await row(site, cast, "deleted", status="deleted")
    await add(site.bench.database, cluster_row(cast.other_admin, "foreign", cluster_id=uuid4(), cpu_count=1))


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({}, ["gamma", "beta", "alpha"]),
        ({"order_by": "name"}, ["alpha", "beta", "gamma"]),
        ({"order_by": "-total_nodes"}, ["beta", "gamma", "alpha"]),
        ({"order_by": "endpoint_count", "type": "x"}, ["alpha", "beta", "gamma"]),
        ({"name": "beta"}, ["beta"]),
        ({"name": "ta", "search": True}, ["beta"]),
        ({"name": "ta"}, []),
        ({"status": "not_available"}, ["beta"]),
        ({"cluster_type": "CLOUD"}, ["gamma"]),
        ({"hardware_type": "GPU"}, ["beta"]),
        ({"hardware_type": ["CPU", "HPU"], "order_by": "name"}, ["alpha", "gamma"]),
        ({"limit": 1, "page": 2}, ["beta"]),
    ],
)
async def test_lists_are_filtered_and_ordered(site: Site, three: None, query: Json, names: list[str]) -> None:
    found = await site.listed(**query)
    if query.get("order_by") == "endpoint_count":
        assert sorted(one["name"] for one in found) == names
    else:
        assert [one["name"] for one in found] == names


async def test_a_list_is_two_statements_however_many_are_in_it(site: Site, three: None, statements: Statements) -> None:
    await site.listed()
    statements.clear()
    await site.listed()
    assert len(statements) <= 2


async def test_a_cluster_counts_what_runs_on_it(site: Site, cast: Cast) -> None:
    cluster_id = await row(site, cast)
    project = await create(site.bench.http, cast.admin)
    of = {"cluster_id": cluster_id, "total_replicas": 3, "active_replicas": 2}
    rows = [
        endpoint_row(project["id"], cast.admin, name=str(n), status=s, **of)
        for n, s in enumerate(["running", "pending", "deleted"])
    ]
    await add(site.bench.database, *rows)
    found = await site.get(cluster_id)
    counts = (
        "endpoint_count",
        "total_endpoints_count",
        "running_endpoints_count",
        "total_workers_count",
        "active_workers_count",
    )
    assert [found[name] for name in counts] == [2, 2, 1, 6, 4]
    listed = (await site.bench.call("GET", f"/clusters/{cluster_id}/endpoints", params={"order_by": "name"}))[
        "endpoints"
    ]
    assert [(one["name"], one["active_workers"], one["project"]["id"]) for one in listed] == [
        ("0", 2, project["id"]),
        ("1", 2, project["id"]),
    ]
    refused = await site.delete(cluster_id, 400)
    assert refused["message"] == "The cluster has deployments; delete them first"
    assert (await site.get(cluster_id))["status"] == "available"


async def test_other_services_ask_for_somebody(site: Site, cast: Cast, three: None, settings: Settings) -> None:
    headers = {"dapr-api-token": settings.app_api_token.get_secret_value()}
    for path in ("/clusters", ONBOARD):
        answer = await site.bench.http.get(path, params={"user_id": str(cast.manager.id)}, headers=headers)
        assert [one["name"] for one in answer.json()["clusters"]] == ["gamma", "beta", "alpha"]


async def test_an_edit_tells_budcluster_of_the_ingress_first(site: Site) -> None:
    cluster = await site.onboarded()
    path = f"/clusters/{cluster['id']}"
    changes = {"name": "Renamed", "icon": "🌲", "ingress_url": "https://new.example.com"}
    edited = (await site.bench.call("PATCH", path, json=changes))["cluster"]
    assert {name: edited[name] for name in changes} == changes
    asked = [one for one in await site.budcluster.requests(cluster["cluster_id"]) if one["method"] == "PATCH"]
    assert [one["body"] for one in asked] == [{"ingress_url": "https://new.example.com"}]
    await site.budcluster.does_wrong("even-newer", status=500)
    await site.bench.call("PATCH", path, 502, json={"ingress_url": "https://even-newer.example.com", "name": "Other"})
    assert (await site.get(cluster["id"]))["name"] == "Renamed"
    await site.budcluster.behave()
    await site.budcluster.does_wrong(
        "refused-one", status=400, answer={"object": "error", "message": "No such ingress"}
    )
    await site.bench.call("PATCH", path, 502, json={"ingress_url": "https://refused-one.example.com"})
    assert (await site.get(cluster["id"]))["ingress_url"] == "https://new.example.com"


async def test_a_name_is_taken_whatever_its_case(site: Site, cast: Cast, three: None) -> None:
    cluster_id = await row(site, cast, "delta")
    await site.bench.call("PATCH", f"/clusters/{cluster_id}", 409, json={"name": "ALPHA"})
    await site.bench.call("PATCH", f"/clusters/{cluster_id}", json={"name": "DELTA"})
    await site.bench.call("PATCH", f"/clusters/{cluster_id}", json={"name": "deleted"})


async def test_two_at_once_want_one_name(site: Site, cast: Cast) -> None:
    ids = [await row(site, cast, name) for name in ("one", "two")]
    answers = await asyncio.gather(
        *(
            site.bench.http.patch(f"/clusters/{cluster_id}", json={"name": "same"}, headers=site.bench.person.headers)
            for cluster_id in ids
        )
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409]


async def test_deleting_twice_is_refused_the_second_time(site: Site) -> None:
    cluster = await site.onboarded()
    gone = await site.delete(cluster["id"])
    assert (await site.delete(cluster["id"], 400))["message"] == "Cluster is already deleting"
    await site.bench.call("PATCH", f"/clusters/{cluster['id']}", 400, json={"name": "x"})
    await site.bench.until(gone["workflow_id"], "completed")


async def test_a_refused_deletion_leaves_the_cluster_as_it_was(site: Site) -> None:
    cluster = await site.onboarded()
    await site.budcluster.does_wrong(cluster["cluster_id"], status=400, times=1)
    await site.delete(cluster["id"], 400)
    assert (await site.get(cluster["id"]))["status"] == "available"
    await site.delete(cluster["id"])


async def test_a_deletion_that_fails_half_way_is_an_error_with_a_reason_and_can_be_retried(site: Site) -> None:
    cluster = await site.onboarded()
    wrong = {"fail_at": "delete_namespace", "message": "A finalizer hangs", "times": 1}
    await site.budcluster.does_wrong(cluster["cluster_id"], **wrong)
    workflow_id = (await site.delete(cluster["id"]))["workflow_id"]
    failed = await site.bench.until(workflow_id, "failed")
    found = await site.get(cluster["id"])
    assert (found["status"], "A finalizer hangs" in found["reason"]) == ("error", True), failed
    await site.bench.call("POST", f"/workflows/{workflow_id}/retry")
    await site.bench.until(workflow_id, "completed")
    assert await site.listed() == []


async def test_what_budcluster_deletes_after_all_is_deleted(site: Site) -> None:
    cluster = await site.onboarded()
    await site.budcluster.does_wrong(cluster["cluster_id"], event_delay_seconds=0.1)
    workflow_id = (await site.delete(cluster["id"]))["workflow_id"]
    await site.bench.call("DELETE", f"/workflows/{workflow_id}")
    assert (await site.get(cluster["id"]))["status"] == "deleting"
    for _ in range(50):
        await site.bench.pump()
        if not await site.listed():
            break
        await asyncio.sleep(0.1)
    assert await site.listed() == []


async def test_reports_out_of_order_and_repeated_change_nothing(site: Site) -> None:
    cluster = await site.onboarded()
    now = datetime.now(UTC)
    await site.tell(cluster, status="error", at=now.isoformat(), times=2)
    first = await site.get(cluster["id"])
    assert (first["status"], first["reason"]) == ("error", "budcluster has an error")
    await site.tell(cluster, status="available", at=(now - timedelta(minutes=5)).isoformat())
    assert await site.get(cluster["id"]) == first
    await site.tell(cluster, status="deleted", at=(now + timedelta(seconds=1)).isoformat())
    assert (await site.get(cluster["id"]))["status"] == "error"
    assert (await sent(site)).count("cluster_error") == 1
    await site.tell(cluster)
    assert (await site.get(cluster["id"]))["status"] == "available"


async def test_a_report_from_the_future_does_not_shut_out_the_next(site: Site) -> None:
    cluster = await site.onboarded()
    await site.tell(cluster, status="error", at="2999-01-01T00:00:00+00:00")
    assert (await site.get(cluster["id"]))["status"] == "error"
    await site.tell(cluster)
    assert (await site.get(cluster["id"]))["status"] == "available"


async def test_an_unreachable_cluster_keeps_its_totals(site: Site) -> None:
    cluster = await site.onboarded()
    await site.control("PUT", f"{cluster['cluster_id']}/status", {"status": "not_available", "reason": "No route"})
    await site.tell(cluster)
    found = await site.get(cluster["id"])
    assert (found["status"], found["reason"], found["total_nodes"]) == ("not_available", "No route", 2)
    assert "cluster_not_available" in await sent(site)


@pytest.mark.parametrize("nodes", [None, {"nodes": []}])
async def test_a_report_without_machines_leaves_the_counts(site: Site, nodes: Json | None) -> None:
    cluster = await site.onboarded()
    await site.tell(cluster)
    result = {"cluster_id": cluster["cluster_id"], "status": "available", "node_info": nodes}
    content = {"title": "t", "message": "m", "status": "COMPLETED", "result": result}
    payload = {"category": "internal", "type": "cluster-status-update", "event": "results", "source": "budcluster"}
    await site.bench.deliver({"name": "bud-internal", "payload": {**payload, "content": content}, "id": str(uuid4())})
    found = await site.get(cluster["id"])
    assert (found["total_nodes"], found["status_sync_at"] is not None) == (cluster["total_nodes"], True)


@pytest.mark.parametrize(
    "result",
    [None, "text", {}, {"cluster_id": "x"}, {"cluster_id": str(uuid4()), "status": "available"}, {"cluster_id": 5}],
)
async def test_a_report_that_makes_no_sense_is_taken_and_changes_nothing(site: Site, cast: Cast, result: Any) -> None:
    await row(site, cast)
    before = await site.listed()
    content = {"title": "t", "message": "m", "status": "COMPLETED", "result": result}
    payload = {"category": "internal", "type": "cluster-status-update", "event": "results", "source": "budcluster"}
    await site.bench.deliver({"name": "bud-internal", "payload": {**payload, "content": content}, "id": str(uuid4())})
    assert await site.listed() == before
    assert await site.bench.sql("select 1 from inbox_message where dead_at is not null or attempts > 0") == []


async def test_who_deletes_for_a_day_is_left_alone_and_then_is_an_error(site: Site) -> None:
    cluster = await site.onboarded()
    await site.bench.sql("update cluster set status = 'deleting', deleting_since = now() - interval '23 hours'")
    await site.tell(cluster)
    assert (await site.get(cluster["id"]))["status"] == "deleting"
    await site.bench.sql("update cluster set deleting_since = now() - interval '25 hours'")
    await site.tell(cluster)
    found = await site.get(cluster["id"])
    assert (found["status"], "within a day" in found["reason"]) == ("error", True)


async def test_a_cluster_that_is_not_heard_of_is_not_available_and_its_owner_told(site: Site, cast: Cast) -> None:
    times = {"quiet": 31, "heard": 29}
    ids = {name: await row(site, cast, name) for name in (*times, "slow")}
    for name, minutes in times.items():
        ago = {"minutes": minutes, "name": name}
        earlier = "now() - make_interval(mins => :minutes)"
        await site.bench.sql(f"update cluster set status_sync_at = {earlier} where name = :name", **ago)
    stuck = "status = 'deleting', deleting_since = now() - interval '2 days'"
    await site.bench.sql(f"update cluster set {stuck} where name = 'slow'")
    await watch_for_silence(site.bench.database)
    found = {name: await site.get(ids[name]) for name in ids}
    assert {name: one["status"] for name, one in found.items()} == {
        "quiet": "not_available",
        "heard": "available",
        "slow": "error",
    }
    assert "has not reported" in found["quiet"]["reason"]
    assert sorted(await sent(site)) == ["cluster_error", "cluster_not_available"]
    await watch_for_silence(site.bench.database)
    assert len(await sent(site)) == 2, "told once"


async def test_status_events_alone_leave_no_entry_in_the_trail(site: Site) -> None:
    cluster = await site.onboarded()
    await site.tell(cluster)
    [before] = await site.bench.sql("select count(*) from audit_trail where resource_type = 'cluster'")
    await site.tell(cluster)
    [after] = await site.bench.sql("select count(*) from audit_trail where resource_type = 'cluster'")
    assert before[0] == after[0]
