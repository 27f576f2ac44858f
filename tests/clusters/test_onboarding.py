"""Onboarding as it goes wrong: refused files, steps that fail, silence, events twice, cancellations, names taken."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from budapp.cloud_provider_ops.seeds import ensure_cloud_providers
from budapp.commons.domain import components_of
from budapp.workflow_ops.services import Workflows
from tests.cast import Cast
from tests.clusters.conftest import ONBOARD, Site
from tests.clusters.kubeconfigs import config, dumped
from tests.projects.data import messages
from tests.waiting import until
from tests.workflows.conftest import Json

STEPS = [
    "determine_cluster_platform",
    "check_duplicate_config",
    "verify_cluster_connection",
    "configure_cluster",
    "fetch_cluster_info",
]
KUBECONFIGS = "select count(*) from cluster_kubeconfig"


async def kept(site: Site) -> int:
    [row] = await site.bench.sql(KUBECONFIGS)
    return int(row[0])


async def calls(site: Site) -> list[tuple[str | None, Any]]:
    return [(row.path, payload) for row, payload in await messages(site.bench.database) if row.target == "budcluster"]


async def test_a_refused_file_is_422_at_its_place_and_nothing_is_kept(site: Site) -> None:
    file = dumped(config(exec={"command": "sh"}))
    refused = await site.onboard(422, file)
    assert (refused["param"], refused["errors"][0]["loc"][-1]) == ("configuration_file", "users[0].user.exec")
    assert await site.bench.sql("select 1 from workflow") == []
    assert await site.budcluster.requests("users[0]") == []


async def test_a_file_that_is_not_named_yaml_is_refused(site: Site) -> None:
    files = {"configuration_file": ("cluster.txt", dumped(config()), "text/plain")}
    form = {"step_number": "1", "workflow_total_steps": "3", "name": "Lab"}
    refused = await site.bench.call("POST", ONBOARD, 400, data=form, files=files)
    assert refused["param"] == "configuration_file"


@pytest.mark.parametrize(
    ("left_out", "missing"),
    [("name", "name"), ("icon", "icon"), ("ingress_url", "ingress_url"), ("file", "configuration_file")],
)
async def test_what_is_missing_is_named_and_the_workflow_is_not_begun(site: Site, left_out: str, missing: str) -> None:
    fields = {"name": "Lab", "icon": "i", "ingress_url": "https://in.example.com"}
    fields.pop(left_out, None)
    form = {"step_number": 1, "workflow_total_steps": 3, "trigger_workflow": "true", **fields}
    refused = await site.post(400, None if left_out == "file" else dumped(config()), **form)
    assert refused["param"] == missing
    assert await site.bench.sql("select 1 from workflow") == []


@pytest.mark.parametrize(
    "wrong", [{"ingress_url": "not an address"}, {"name": "x" * 101}, {"cluster_type": "MOON"}, {"step_number": 0}]
)
async def test_fields_that_can_not_be_are_422(site: Site, wrong: Json) -> None:
    await site.onboard(422, **wrong)


@pytest.mark.parametrize("step", STEPS)
async def test_a_step_that_fails_fails_it_with_the_reason_and_leaves_nothing(site: Site, step: str) -> None:
    name = f"Failing {uuid4()}"
    await site.budcluster.does_wrong(name, fail_at=step, message="The machines are asleep")
    workflow_id = (await site.onboard(name=name))["workflow_id"]
    failed = await site.bench.until(workflow_id, "failed")
    assert "asleep" in failed["reason"] or step == "check_duplicate_config"
    shown = {one["id"]: one["payload"] for one in failed["workflow_steps"]["create_cluster_events"]["steps"]}
    assert shown[step]["content"]["status"] == "FAILED"
    assert (await site.listed(), await kept(site)) == ([], 0)
    again = await site.bench.call("POST", f"/workflows/{workflow_id}/retry", 400)
    assert "onboard the cluster anew" in again["message"]


async def test_a_refusal_keeps_the_draft_and_its_file_for_another_try(site: Site) -> None:
    name = f"Refused {uuid4()}"
    await site.budcluster.does_wrong(name, status=400, times=1)
    await site.onboard(400, name=name)
    [row] = await site.bench.sql("select id, status from workflow")
    assert (row.status, await kept(site)) == ("in_progress", 1)
    await site.post(
        step_number=1,
        workflow_id=row.id,
        trigger_workflow="true",
        name=name,
        icon="i",
        ingress_url="https://i.example.com",
    )
    done = await site.bench.until(str(row.id), "completed")
    site.made.append((await site.get(done["workflow_steps"]["cluster"]["id"]))["cluster_id"])
    assert await kept(site) == 0


async def test_a_draft_that_is_cancelled_takes_its_file_along(site: Site) -> None:
    begun = await site.post(file=dumped(config()), step_number=1, workflow_total_steps=3, name="Lab", icon="i")
    assert await kept(site) == 1
    cancelled = await site.bench.call("DELETE", f"/workflows/{begun['workflow_id']}")
    assert cancelled["message"] == "Successfully cancelled cluster onboarding."
    assert await kept(site) == 0


async def test_a_draft_that_nobody_goes_on_with_loses_its_file(site: Site) -> None:

    await site.post(file=dumped(config()), step_number=1, workflow_total_steps=3, name="Lab", icon="i")
    await site.bench.sql("update workflow set modified_at = now() - interval '60 days'")
    await components_of(site.bench.app)[Workflows].reconciler.expire_drafts()
    assert await kept(site) == 0


async def test_cancelled_at_budcluster_too_and_what_comes_late_is_taken_back(site: Site) -> None:
    name = f"Cancelled {uuid4()}"
    await site.budcluster.does_wrong(name, event_delay_seconds=0.2)
    workflow_id = (await site.onboard(name=name))["workflow_id"]
    events = await site.bench.until_told(2)
    answer = await site.bench.call("POST", "/clusters/cancel-onboarding", json={"workflow_id": workflow_id})
    assert answer["object"] == "cluster.onboarding.cancel"
    [attempt] = await site.bench.sql("select peer_workflow_id from workflow_attempt")
    assert [path for path, _ in await calls(site)] == [f"cluster/cancel/{attempt[0]}"]
    bud_id = str(uuid4())
    content = {"status": "COMPLETED", "title": "t", "message": "m", "result": {"id": bud_id, "nodes": []}}
    late = {**events[-1], "id": str(uuid4())}
    late["payload"] = {**late["payload"], "event": "results", "content": content}
    await site.bench.deliver(late)
    path, body = (await calls(site))[-1]
    assert (path, body["cluster_id"]) == ("cluster/delete", bud_id)
    assert await site.listed() == []
    await site.bench.call("POST", "/clusters/cancel-onboarding", 400, json={"workflow_id": workflow_id})


@pytest.mark.parametrize(
    "fault", [{"duplicate": "publish"}, {"duplicate": "delivery"}, {"reorder": "swap"}, {"reorder": "reverse"}]
)
async def test_events_that_come_twice_or_in_another_order_make_one_cluster(site: Site, fault: Json) -> None:
    name = f"Odd {uuid4()}"
    await site.budcluster.does_wrong(name, **fault)
    found = await site.onboarded(name=name)
    await asyncio.sleep(0.3)
    await site.bench.pump()
    assert [one["id"] for one in await site.listed()] == [found["id"]]
    notices = [payload for _, payload in await messages(site.bench.database) if "payload" in payload]
    assert [one["payload"]["type"] for one in notices].count("cluster_onboarding_success") == 1


async def test_a_silent_budcluster_fails_it_and_is_told_to_stop(site: Site) -> None:
    name = f"Silent {uuid4()}"
    await site.budcluster.does_wrong(name, silent_from="2")
    workflow_id = (await site.onboard(name=name))["workflow_id"]
    await site.bench.sql("update workflow_attempt set deadline_at = now() - interval '1 second'")
    await site.bench.reconcile()
    failed = await site.bench.get(workflow_id)
    assert (failed["status"], "has not been heard of" in failed["reason"]) == ("failed", True)
    assert [str(path).rpartition("/")[0] for path, _ in await calls(site)] == ["cluster/cancel"]


async def test_what_comes_of_a_call_whose_answer_was_lost_is_taken_back(site: Site) -> None:
    name = f"Lost {uuid4()}"
    await site.budcluster.does_wrong(name, status=500, but_do_it=True, times=1)
    await site.onboard(502, name=name)
    assert len(await site.budcluster.requests(name)) == 1, "what may have begun is not asked for twice"

    async def is_taken_back() -> bool:
        await site.bench.pump()
        return [path for path, _ in await calls(site)] == ["cluster/delete"]

    await until(is_taken_back)
    assert await site.listed() == []
    [(_, body)] = await calls(site)
    site.made.append(body["cluster_id"])


async def test_of_two_with_one_name_the_second_fails_and_is_taken_back(site: Site) -> None:
    name = f"Twin {uuid4()}"
    first = (await site.onboard(name=name))["workflow_id"]
    second = (await site.onboard(name=name.upper()))["workflow_id"]
    ends: Json = {}

    async def have_ended() -> bool:
        await site.bench.pump()
        for workflow_id in (first, second):
            ends[workflow_id] = await site.bench.get(workflow_id)
        return all(end["status"] != "in_progress" for end in ends.values())

    await until(have_ended)
    assert sorted(end["status"] for end in ends.values()) == ["completed", "failed"]
    [failed] = [end for end in ends.values() if end["status"] == "failed"]
    assert failed["reason"] == "Cluster name already exists"
    [cluster] = await site.listed()
    site.made.append(cluster["cluster_id"])
    [taken_back] = [body["cluster_id"] for path, body in await calls(site) if path == "cluster/delete"]
    site.made.append(taken_back)
    assert taken_back != cluster["cluster_id"]
    conflict = await site.onboard(409, name=name.lower())
    assert conflict["param"] == "name"


async def test_a_cluster_that_budcluster_has_already_is_a_reason(site: Site) -> None:
    file = dumped(config())
    await site.onboarded(file=file)
    workflow_id = (await site.onboard(file=file))["workflow_id"]
    failed = await site.bench.until(workflow_id, "failed")
    assert failed["reason"] == "Cluster already exists"


async def test_results_that_make_no_sense_fail_it(site: Site) -> None:
    name = f"Nonsense {uuid4()}"
    await site.budcluster.does_wrong(name, silent_from="results")
    workflow_id = (await site.onboard(name=name))["workflow_id"]
    events = await site.bench.until_told(3)
    for event in events:
        await site.bench.deliver(event)
    odd = {**events[-1], "id": str(uuid4())}
    content = {"status": "COMPLETED", "title": "t", "message": "m", "result": {"id": "no id", "nodes": "none"}}
    odd["payload"] = {**odd["payload"], "event": "results", "content": content}
    await site.bench.deliver(odd)
    assert (await site.bench.get(workflow_id))["status"] == "failed"
    assert await site.listed() == []


@pytest.fixture
async def credential(site: Site) -> Json:
    """Access to AWS, and who it is of."""
    async with site.bench.database.write() as session:
        await ensure_cloud_providers(session, components_of(site.bench.app))
    providers = (await site.bench.call("GET", "/credentials/cloud-providers"))["providers"]
    [aws] = [one for one in providers if one["unique_id"] == "aws"]
    values = {"access_key_id": "AKIAIOSFODNN7EXAMPLE", "secret_access_key": "wJalrXUtnFEMI-very-secret-key"}
    body = {"provider_id": aws["id"], "credential_name": "Ours", "credential_values": values}
    made = await site.bench.call("POST", "/credentials/cloud-providers", 201, json=body)
    return {**made["credential"], "unique_id": "aws"}


def in_cloud(credential: Json, **fields: Any) -> Json:
    place = {"provider_id": credential["provider_id"], "credential_id": credential["id"], "region": "eu-west-1"}
    return {"cluster_type": "CLOUD", **place, **fields}


async def test_a_cloud_makes_a_cluster_and_takes_it_down_again(site: Site, credential: Json) -> None:
    form: Json = {"step_number": 1, "workflow_total_steps": 3, "trigger_workflow": "true", "name": "Sky", "icon": "☁️"}
    begun = await site.post(**form, **in_cloud(credential))
    workflow_id = begun["workflow_id"]
    shown = begun["workflow_steps"]["create_cluster_events"]["steps"]
    assert [step["id"] for step in shown] == ["create_cloud_provider_cluster", *STEPS[2:]]
    assert "very-secret" not in str(begun)
    [asked] = await site.budcluster.requests(workflow_id)
    assert all(part in asked["body"] for part in ("very-secret-key", "eu-west-1", "dummy-cluster"))
    done = await site.bench.until(workflow_id, "completed")
    cluster = await site.get(done["workflow_steps"]["cluster"]["id"])
    assert (cluster["cluster_type"], cluster["region"]) == ("CLOUD", "eu-west-1")
    stored = await site.bench.sql(
        "select data::text from workflow_step union all select new_state::text from audit_trail"
    )
    assert "very-secret" not in "".join(row[0] or "" for row in stored)
    gone = await site.delete(cluster["id"])
    [asked] = await site.budcluster.requests(gone["workflow_id"])
    assert "credentail_id" in asked["body"]["cloud_payload"]
    assert "very-secret-key" in asked["body"]["cloud_payload"]
    await site.bench.until(gone["workflow_id"], "completed")


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"region": "moon-1"}, 400),
        ({"region": ""}, 400),
        ({"credential_id": str(uuid4())}, 404),
        ({"provider_id": str(uuid4())}, 404),
    ],
)
async def test_a_place_that_is_none_is_refused(site: Site, credential: Json, change: Json, status: int) -> None:
    form: Json = {"step_number": 1, "workflow_total_steps": 3, "trigger_workflow": "true", "name": "Sky", "icon": "i"}
    await site.post(status, **form, **in_cloud(credential, **change))
    assert await site.bench.sql("select 1 from workflow") == []


@pytest.mark.parametrize(
    "change", ["provider_id = (select id from cloud_provider where unique_id = 'azure')", "is_enabled = false"]
)
async def test_a_cloud_that_is_off_or_not_the_credentials_is_refused(site: Site, credential: Json, change: str) -> None:
    table = "cloud_credential" if change.startswith("provider_id") else "cloud_provider"
    async with site.bench.database.write() as session:
        await session.execute(text(f"update {table} set {change}"))
    form: Json = {"step_number": 1, "workflow_total_steps": 3, "trigger_workflow": "true", "name": "Sky", "icon": "i"}
    await site.post(400, **form, **in_cloud(credential))
    assert await site.bench.sql("select 1 from workflow") == []


async def test_nobody_else_onboards(site: Site, cast: Cast) -> None:
    site.bench.person = cast.developer
    await site.onboard(403)


async def test_access_to_a_cloud_waits_sealed_until_budcluster_takes_back_what_nobody_wants(
    site: Site, credential: Json
) -> None:
    form: Json = {"step_number": 1, "workflow_total_steps": 3, "trigger_workflow": "true", "name": "Sky", "icon": "i"}
    begun = await site.post(**form, **in_cloud(credential))
    events = await site.bench.until_told(1)
    await site.bench.call("POST", "/clusters/cancel-onboarding", json={"workflow_id": begun["workflow_id"]})
    content = {"status": "COMPLETED", "title": "t", "message": "m", "result": {"id": str(uuid4()), "nodes": []}}
    late = {**events[-1], "id": str(uuid4())}
    late["payload"] = {**late["payload"], "event": "results", "content": content}
    await site.bench.deliver(late)
    [body] = [body for path, body in await calls(site) if path == "cluster/delete"]
    assert "very-secret-key" in body["cloud_payload"]
    waiting = await site.bench.sql("select to_jsonb(outbox_message)::text from outbox_message")
    assert "very-secret" not in "".join(row[0] for row in waiting)
