"""Scanning the files of a model."""

from typing import Any
from uuid import uuid4

import pytest

from tests.cast import Cast
from tests.projects.data import messages
from tests.workflows.conftest import SCAN, Bench


@pytest.fixture
async def model_id(bench: Bench) -> str:
    return await added(bench, f"Tiny-{uuid4().hex[:8]}-1b")


async def added(bench: Bench, name: str) -> str:
    workflow_id = await bench.draft(name)
    await bench.trigger(workflow_id)
    return str((await bench.until(workflow_id, "completed"))["workflow_steps"]["model_id"])


async def path_of(bench: Bench, model_id: str) -> str:
    found = await bench.call("GET", f"/models/{model_id}")
    return str(found["model"]["local_path"])


async def scan(bench: Bench, model_id: str, status: int = 200) -> dict[str, Any]:
    body = {"step_number": 1, "workflow_total_steps": 3, "trigger_workflow": True, "model_id": model_id}
    return await bench.post(SCAN, status, **body)


async def test_a_clean_model_is_verified_and_the_screen_is_told_as_it_listens(bench: Bench, model_id: str) -> None:
    started = await scan(bench, model_id)
    assert started["current_step"] == 1
    assert started["workflow_steps"]["model_security_scan_events"]["steps"][0]["id"] == "security_scan"
    done = await bench.until(started["workflow_id"], "completed")
    assert done["workflow_steps"]["security_scan_result"]["status"] == "safe"
    found = await bench.call("GET", f"/models/{model_id}")
    assert (found["scan_result"]["status"], found["model"]["scan_verified"]) == ("safe", True)
    payloads = [payload["payload"] for row, payload in await messages(bench.database) if row.path == "notifications"]
    live = [one for one in payloads if one["category"] == "internal"]
    assert {one["type"] for one in live} == {"perform_model_scanning"}
    assert [one["content"]["status"] for one in live] == ["STARTED", "COMPLETED"]
    assert payloads[-1]["content"]["tag"] == "safe"


async def test_findings_replace_those_of_the_scan_before(bench: Bench) -> None:
    model_id = await added(bench, "unsafe-pickle-1b")
    for _ in range(2):
        started = await scan(bench, model_id)
        done = await bench.until(started["workflow_id"], "completed")
    result = done["workflow_steps"]["security_scan_result"]
    assert (result["status"], result["critical_severity_count"]) == ("critical", 1)
    assert result["model_issues"]["critical"][0]["title"]
    assert (await bench.sql("select count(*) from model_security_scan_result"))[0][0] == 1
    assert (await bench.call("GET", f"/models/{model_id}"))["model"]["scan_verified"] is False


async def test_a_refused_scan_fails_and_a_retry_scans(bench: Bench, model_id: str) -> None:
    await bench.peer.does_wrong(await path_of(bench, model_id), status=400, answer={"object": "error"}, times=1)
    refused = await scan(bench, model_id, 400)
    assert refused["message"] == "unable to perform model security scan request"
    [(workflow_id, status)] = await bench.sql(
        "select id, status from workflow where workflow_type = 'model_security_scan'"
    )
    assert status == "failed"
    await bench.post(f"/workflows/{workflow_id}/retry")
    await bench.until(str(workflow_id), "completed")


async def test_a_failing_scan_fails_the_workflow(bench: Bench, model_id: str) -> None:
    await bench.peer.does_wrong(await path_of(bench, model_id), fail_at="security_scan", times=1)
    started = await scan(bench, model_id)
    failed = await bench.until(started["workflow_id"], "failed")
    [step] = failed["workflow_steps"]["model_security_scan_events"]["steps"]
    assert step["payload"]["content"]["status"] == "FAILED"


async def test_results_that_cannot_be_read_fail_it(bench: Bench, model_id: str) -> None:
    await bench.peer.does_wrong(await path_of(bench, model_id), silent_from="1")
    workflow_id = (await scan(bench, model_id))["workflow_id"]
    content = {"status": "COMPLETED", "result": {"scan_result": {"total_issues": "many"}}}
    payload: dict[str, Any] = {"category": "internal", "type": "perform_model_security_scan", "event": "results"}
    payload |= {"workflow_id": workflow_id, "source": "budmodel", "content": content}
    await bench.deliver({"name": "bud-internal", "payload": payload})
    failed = await bench.get(workflow_id)
    assert (failed["status"], failed["reason"]) == ("failed", "The results are not valid")


async def test_events_about_nothing_known_are_taken_and_left(bench: Bench) -> None:
    for workflow_id in (None, "x", "00000000-0000-4000-8000-000000000000"):
        payload = {"category": "internal", "type": "perform_model_security_scan", "event": "results", "source": "x"}
        await bench.deliver({"name": "bud-internal", "payload": {**payload, "workflow_id": workflow_id}})


async def test_only_models_of_the_tenant_with_files_are_scanned(bench: Bench, cast: Cast, model_id: str) -> None:
    await bench.post(SCAN, 422, step_number=1, workflow_total_steps=3)
    bench.person = cast.other_developer
    await scan(bench, model_id, 404)
    await bench.call("GET", f"/models/{model_id}", 404)
