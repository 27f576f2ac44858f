"""Putting guardrails before deployments: the steps, the pipelines of their models, and what becomes of profiles."""

from typing import Any
from uuid import uuid4

import pytest

from tests.cast import Cast
from tests.guardrails.conftest import CLASSIFIER, LOAD, Fort
from tests.peers.conftest import StandIn
from tests.projects.data import join, messages
from tests.statements import Statements
from tests.waiting import until as holds
from tests.workflows.conftest import Json
from tests.workflows.test_quantization import enter_cluster

INJECTION = "Prompt injection"
STEP = "onboard-deberta-v3-base-prompt-injection-v2"


async def test_a_guardrail_without_models_is_there_at_once(fort: Fort) -> None:
    workflow_id = await fort.drafted("Personal data", "Secrets")
    found = (await fort.bench.get(workflow_id))["workflow_steps"]
    assert (found["model_statuses"], found["skip_to_step"], found["credential_required"]) == ([], 12, False)
    assert [one["id"] for one in found["endpoints"]] == [fort.endpoints[0]]
    done = await fort.step(7, workflow_id, trigger_workflow=True, name="Guard")
    assert done["status"] == "completed"
    steps = done["workflow_steps"]
    assert steps["workflow_execution_status"]["message"] == "Guardrail profile successfully deployed."
    assert (steps["endpoint_ids"], len(steps["deployment"])) == ([fort.endpoints[0]], 1)
    profile = (await fort.get(f"/profile/{steps['guardrail_profile_id']}"))["profile"]
    assert (profile["name"], profile["probe_count"], profile["deployment_count"]) == ("Guard", 2, 1)
    assert (profile["severity_threshold"], profile["guard_types"]) == (0.5, ["input", "output"])
    deployments = (await fort.get(f"/profile/{profile['id']}/deployments"))["deployments"]
    assert [(one["endpoint_id"], one["status"]) for one in deployments] == [(fort.endpoints[0], "running")]
    told = [payload["payload"] for _, payload in await messages(fort.bench.database) if "payload" in payload]
    [notice] = [one for one in told if one["type"] == "guardrail_deployment_success"]
    assert notice["content"]["result"] == {"target_type": "guardrail", "target_id": profile["id"]}


async def test_one_guardrail_stands_before_an_endpoint(fort: Fort) -> None:
    profile = await fort.deployed("Secrets")
    first = await fort.step(1)
    refused = await fort.step(6, first["workflow_id"], 400, endpoint_ids=[fort.endpoints[0]])
    assert "already" in refused["message"]
    await fort.step(7, first["workflow_id"], 409, name="GUARD")
    for person, status in ((fort.cast.other_admin, 404), (fort.bench.person, 403)):
        answer = await fort.call("DELETE", f"/profile/{profile['id']}", status, person)
    assert "before 1 deployment" in answer["message"]
    [one] = (await fort.get(f"/profile/{profile['id']}/deployments"))["deployments"]
    changed = await fort.call("PUT", f"/deployment/{one['id']}", json={"name": "Renamed", "severity_threshold": 0.9})
    assert (changed["deployment"]["name"], changed["deployment"]["severity_threshold"]) == ("Renamed", 0.9)
    await fort.call("DELETE", f"/deployment/{one['id']}")
    await fort.get(f"/deployment/{one['id']}", 404)
    await fort.call("DELETE", f"/profile/{profile['id']}")
    await fort.get(f"/profile/{profile['id']}", 404)
    await fort.deployed("Secrets", name="Guard")


async def test_a_guardrail_by_itself_goes_with_its_profile(fort: Fort) -> None:
    workflow_id = await fort.drafted("Secrets")
    await fort.step(6, workflow_id, endpoint_ids=[])
    await fort.step(6, workflow_id, 422, is_standalone=True, endpoint_ids=[fort.endpoints[0]])
    await fort.step(5, workflow_id, is_standalone=True)
    done = await fort.step(10, workflow_id, trigger_workflow=True)
    profile_id = done["workflow_steps"]["guardrail_profile_id"]
    [listed] = (await fort.get("/profiles", project_id=fort.project_id))["profiles"]
    assert (listed["id"], listed["is_standalone"]) == (profile_id, True)
    await fort.call("DELETE", f"/profile/{profile_id}")
    assert (await fort.bench.sql("select status from guardrail_deployment"))[0][0] == "deleted"


@pytest.mark.parametrize("missing", ["project_id", "probe_selections", "name", "endpoint_ids", "provider_id"])
async def test_what_is_missing_is_named(fort: Fort, missing: str) -> None:
    probe = fort.probes["Secrets"]
    said: Json = {
        "provider_id": probe["provider_id"],
        "provider_type": "bud",
        "probe_selections": [{"id": probe["id"]}],
        "project_id": fort.project_id,
        "endpoint_ids": [fort.endpoints[0]],
        "name": "Guard",
        "guard_types": ["input"],
        "severity_threshold": 0.5,
    }
    del said[missing]
    assert missing in (await fort.step(1, None, 400, trigger_workflow=True, **said))["message"]


async def test_what_is_out_of_reach_is_not_found(fort: Fort) -> None:
    first = (await fort.step(1))["workflow_id"]
    for said in (
        {"provider_id": str(uuid4())},
        {"probe_selections": [{"id": str(uuid4())}]},
        {"probe_selections": [{"id": fort.probes["Secrets"]["id"], "rules": [{"id": str(uuid4())}]}]},
        {"project_id": str(uuid4())},
        {"endpoint_ids": [str(uuid4())]},
        {"credential_id": str(uuid4())},
        {"cluster_id": str(uuid4())},
        {"guardrail_profile_id": str(uuid4())},
    ):
        await fort.step(2, first, 404, **said)
    huggingface = (await fort.bench.sql("select id from provider where type = 'huggingface'"))[0][0]
    assert "does not look at texts" in (await fort.step(2, first, 400, provider_id=str(huggingface)))["message"]


async def test_a_profile_that_has_lost_a_probe_is_put_before_another_deployment(fort: Fort) -> None:
    profile = await fort.deployed("Secrets", "Personal data")
    lost = fort.probes["Personal data"]["id"]
    await fort.bench.sql("update guardrail_probe set status = 'deleted' where id = :id", id=lost)
    secrets = fort.probes["Secrets"]
    said: Json = {"provider_id": secrets["provider_id"], "provider_type": "bud", "project_id": fort.project_id}
    said |= {"guardrail_profile_id": profile["id"], "endpoint_ids": [fort.endpoints[1]]}
    done = await fort.step(1, None, trigger_workflow=True, **said)
    assert (done["status"], done["workflow_steps"]["endpoint_ids"]) == ("completed", [fort.endpoints[1]])


async def rules_of(fort: Fort, probe: str) -> dict[str, str]:
    found = (await fort.get(f"/probe/{fort.probes[probe]['id']}/rules"))["rules"]
    return {rule["name"]: rule["id"] for rule in found}


@pytest.mark.parametrize(
    ("chosen", "active"),
    [
        (None, {"Credit cards", "E-mail addresses", "IBAN", "IP addresses", "Telephone numbers"}),
        ({"IBAN": "active"}, {"IBAN"}),
        ({"IBAN": "disabled"}, {"Credit cards", "E-mail addresses", "IP addresses", "Telephone numbers"}),
        ({"IBAN": "active", "IP addresses": "disabled"}, {"IBAN"}),
    ],
)
async def test_rules_are_chosen_as_the_selection_says(fort: Fort, chosen: Json | None, active: set[str]) -> None:
    pii, rules = fort.probes["Personal data"]["id"], await rules_of(fort, "Personal data")
    said = [{"id": rules[name], "status": status} for name, status in (chosen or {}).items()] if chosen else None
    profile = await fort.deployed("Personal data")
    body = {"probe_selections": [{"id": pii, "rules": said, "severity_threshold": 0.3}]}
    changed = await fort.call("PUT", f"/profile/{profile['id']}", json={**body, "description": "New"})
    assert changed["profile"]["description"] == "New"
    listed = f"/profile/{profile['id']}/probe/{pii}/rules"
    found = await fort.get(listed, limit=100)
    assert {rule["name"] for rule in found["rules"] if rule["status"] == "active"} == active
    assert found["total_count"] == 5
    for enabled in (True, False):
        some = (await fort.get(listed, limit=100, is_enabled=enabled))["rules"]
        assert [rule["name"] for rule in some] == [
            rule["name"] for rule in found["rules"] if (rule["name"] in active) is enabled
        ]
    stored = (await fort.bench.sql("select count(*) from guardrail_profile_rule where status = 'disabled'"))[0][0]
    assert stored == 5 - len(active)
    await fort.get(f"/profile/{profile['id']}/probe/{fort.probes['Secrets']['id']}/rules", 404)
    probes = f"/profile/{profile['id']}/probes"
    assert [one["name"] for one in (await fort.get(probes))["probes"]] == ["Personal data"]
    for wanted, number in (("privacy", 1), ("none", 0)):
        assert len((await fort.get(probes, tags=wanted))["probes"]) == number


async def test_models_that_are_not_there_are_brought_in(fort: Fort) -> None:
    assert fort.budpipeline.wrongs == set()
    probe = fort.probes[INJECTION]
    kind = {"provider_id": probe["provider_id"], "provider_type": "bud", "project_id": fort.project_id}
    workflow_id = (await fort.step(1, probe_selections=[{"id": probe["id"]}], **kind))["workflow_id"]
    begun = await fort.step(5, workflow_id, is_standalone=True)
    assert [step["id"] for step in begun["workflow_steps"]["guardrail_onboarding_events"]["steps"]] == [STEP]
    await fort.put_in_model()
    found = await until(fort, workflow_id, "skip_to_step")
    assert (found["models_requiring_onboarding"], found["skip_to_step"]) == (0, 8)
    [request] = [one for one in await fort.budpipeline.requests(workflow_id) if one["method"] == "POST"]
    assert (request["body"]["payload_type"], request["body"]["notification_workflow_id"]) == (
        "guardrail_model_onboarding",
        workflow_id,
    )
    [step] = request["body"]["pipeline_definition"]["steps"]
    assert (step["id"], step["action"], step["params"]["model_uri"]) == (STEP, "model_add", CLASSIFIER)


async def test_the_wizard_goes_on_as_the_models_come(fort: Fort, stand_in: Any, cast: Cast) -> None:
    assert fort.budpipeline.wrongs == set()
    budcluster: StandIn = stand_in("budcluster")
    cluster_id = await enter_cluster(fort.bench, cast.admin)
    await fort.bench.sql("update cluster set gpu_available_workers = 6")
    foreign = await enter_cluster(fort.bench, cast.other_admin)
    for one in (cluster_id, foreign):
        await budcluster.http.post("/control/clusters", json={"id": one})
    model_id = await fort.put_in_model()
    workflow_id = await fort.drafted(INJECTION)
    steps = (await fort.bench.get(workflow_id))["workflow_steps"]
    counts = [steps[f"models_requiring_{what}"] for what in ("onboarding", "deployment")]
    assert (counts, steps["skip_to_step"]) == ([0, 1], 8)
    assert "No cluster" in (await fort.step(10, workflow_id, 400, trigger_workflow=True))["message"]
    await fort.step(8, workflow_id, hardware_mode="dedicated")
    await fort.step(9, workflow_id, deploy_config=LOAD)
    found = await until(fort, workflow_id, "recommended_clusters")
    assert [one["cluster_id"] for one in found["recommended_clusters"]] == [cluster_id]
    await budcluster.http.delete(f"/control/clusters/{foreign}")
    [simulated] = found["guardrail_simulation_events"]["steps"]
    assert simulated["payload"]["content"]["status"] == "COMPLETED"
    await fort.bench.sql("update cluster set gpu_available_workers = 0, cpu_available_workers = 0")
    refused = await fort.step(10, workflow_id, 400, cluster_id=cluster_id, trigger_workflow=True)
    assert "Cluster capacity validation failed" in refused["message"]
    await fort.bench.sql("update cluster set gpu_available_workers = 6")
    await fort.budpipeline.does_wrong(workflow_id, event_delay_seconds=0.2)
    begun = await fort.step(10, workflow_id, cluster_id=cluster_id, trigger_workflow=True)
    [planned] = begun["workflow_steps"]["models_to_deploy"]
    assert planned["endpoint_name"].startswith("deberta-v3-base-prompt-injection-v2-guardrail-")
    assert begun["workflow_steps"]["workflow_execution_status"]["status"] == "running"
    [shown] = begun["workflow_steps"]["guardrail_deployment_events"]["steps"]
    assert shown["id"] == planned["step_id"]
    endpoint_id = await fort.put_in_endpoint(planned["endpoint_name"], model_id, url="http://127.0.0.1:9")
    done = await fort.bench.until(workflow_id, "completed")
    profile_id = done["workflow_steps"]["guardrail_profile_id"]
    [deployment] = (await fort.get(f"/profile/{profile_id}/deployments"))["deployments"]
    progress = await fort.get(f"/deployment/{deployment['id']}/progress")
    assert (progress["ready"], progress["total"]) == (1, 1)
    assert progress["rules"][0]["endpoint_id"] == endpoint_id


async def until(fort: Fort, workflow_id: str, name: str) -> Json:
    """Bring events until the steps say this."""
    found: Json = {}

    async def is_there() -> bool:
        nonlocal found
        await fort.bench.pump()
        found = (await fort.bench.get(workflow_id))["workflow_steps"]
        return found[name] is not None

    await holds(is_there, seen=lambda: found)
    return found


async def test_a_model_that_runs_already_is_used(fort: Fort) -> None:
    model_id = await fort.put_in_model()
    endpoint_id = await fort.put_in_endpoint("classifier", model_id)
    workflow_id = await fort.drafted(INJECTION)
    steps = (await fort.bench.get(workflow_id))["workflow_steps"]
    assert (steps["models_reusable"], steps["skip_to_step"]) == (1, 12)
    await fort.step(7, workflow_id, trigger_workflow=True, name="Guard")
    [row] = await fort.bench.sql("select endpoint_id from guardrail_rule_deployment")
    assert str(row[0]) == endpoint_id


FAULTS: list[Json] = [{"fail_at": "1", "message": "No GPU"}, {"silent_from": "1"}, {"status": 500}]


@pytest.mark.parametrize("fault", FAULTS, ids=str)
async def test_a_pipeline_that_goes_wrong_fails_the_workflow_or_leaves_a_draft(fort: Fort, fault: Json) -> None:
    probe = fort.probes[INJECTION]
    kind = {"provider_id": probe["provider_id"], "provider_type": "bud", "project_id": fort.project_id}
    workflow_id = (await fort.step(1, probe_selections=[{"id": probe["id"]}], **kind))["workflow_id"]
    await fort.budpipeline.does_wrong(workflow_id, times=1, **fault)
    if "status" in fault:
        await fort.step(5, workflow_id, 502, is_standalone=True)
        assert (await fort.bench.get(workflow_id))["status"] == "in_progress"
        await fort.step(5, workflow_id, is_standalone=True)
        return
    await fort.step(5, workflow_id, is_standalone=True)
    if "silent_from" in fault:
        await fort.bench.sql("update workflow_attempt set deadline_at = now() - interval '1 second'")
        await fort.bench.reconcile()
    failed = await fort.bench.until(workflow_id, "failed")
    assert failed["reason"] == fault.get("message", failed["reason"])
    await fort.bench.call("POST", f"/workflows/{workflow_id}/retry")
    await fort.put_in_model()
    await fort.bench.pump()


async def test_results_without_the_deployment_fail(fort: Fort, stand_in: Any, cast: Cast) -> None:
    assert fort.budpipeline.wrongs == set()
    cluster_id = await enter_cluster(fort.bench, cast.admin)
    await fort.bench.sql("update cluster set gpu_available_workers = 6")
    await fort.put_in_model()
    workflow_id = await fort.drafted(INJECTION)
    await fort.step(10, workflow_id, cluster_id=cluster_id, trigger_workflow=True)
    failed = await fort.bench.until(workflow_id, "failed")
    assert "is not there" in failed["reason"]
    assert (await fort.bench.sql("select count(*) from guardrail_profile"))[0][0] == 0


async def test_a_deployment_that_does_not_run_is_none(fort: Fort, cast: Cast) -> None:
    cluster_id = await enter_cluster(fort.bench, cast.admin)
    await fort.bench.sql("update cluster set gpu_available_workers = 6")
    model_id = await fort.put_in_model()
    workflow_id = await fort.drafted(INJECTION)
    await fort.budpipeline.does_wrong(workflow_id, event_delay_seconds=0.2)
    begun = await fort.step(10, workflow_id, cluster_id=cluster_id, trigger_workflow=True)
    [planned] = begun["workflow_steps"]["models_to_deploy"]
    await fort.put_in_endpoint(planned["endpoint_name"], model_id, status="failure")
    failed = await fort.bench.until(workflow_id, "failed")
    assert "is not there" in failed["reason"]


async def test_profiles_are_seen_by_those_who_view_endpoints(fort: Fort) -> None:
    profile = await fort.deployed("Secrets", tags=[{"name": "red", "color": "#E57333"}])
    path = f"/profile/{profile['id']}"
    for person, status in ((fort.cast.tester, 404), (fort.cast.other_admin, 404), (fort.cast.admin, 200)):
        await fort.get(path, status, person)
        await fort.get(f"{path}/probes", status, person)
        await fort.get(f"{path}/deployments", status, person)
    assert (await fort.get("/profiles", person=fort.cast.tester))["profiles"] == []
    for name, found in (("", ["red"]), ("RE", ["red"]), ("blue", [])):
        assert [tag["name"] for tag in (await fort.get("/profiles/tags", name=name))["tags"]] == found
    await join(fort.bench.database, fort.project_id, fort.cast.tester)
    await fort.get(path, person=fort.cast.tester)
    await fort.call("PUT", path, 403, fort.cast.tester, {"name": "Theirs"})
    for query in ({"name": "Guard"}, {"provider_id": fort.probes["Secrets"]["provider_id"]}, {"order_by": "name:asc"}):
        assert len((await fort.get("/profiles", **query))["profiles"]) == 1
    assert (await fort.get("/profiles", provider_id=fort.probes["OpenAI moderation"]["provider_id"]))["profiles"] == []


async def test_reads_cost_few_statements(fort: Fort, statements: Statements) -> None:
    profile = await fort.deployed("Secrets")
    own, secrets = f"/profile/{profile['id']}", fort.probes["Secrets"]["id"]
    paths = ("/profiles", own, f"{own}/probes", f"{own}/probe/{secrets}/rules", f"{own}/deployments", "/profiles/tags")
    for path in paths:
        await fort.get(path)
        statements.clear()
        await fort.get(path)
        assert len(statements) <= 3, path
