"""Adding a model with files of its own, walked over HTTP with budmodel's stand-in, straight and in every other way."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

import pytest

from budapp.commons.database import WriteSession
from budapp.commons.domain import components_of
from budapp.integrations.dapr import DaprClient
from budapp.workflow_ops import crud
from budapp.workflow_ops.models import Workflow
from budapp.workflow_ops.services import Workflows
from tests.cast import Cast
from tests.projects.data import messages
from tests.statements import Statements
from tests.waiting import until
from tests.workflows.conftest import CLOUD, LOCAL, Bench

Lock = Callable[[WriteSession, UUID], Awaitable[Workflow | None]]
STEPS = ["validation", "model_download", "model_extraction", "save_model"]


def statuses(body: dict[str, Any]) -> list[str | None]:
    steps = body["workflow_steps"]["model_extraction_events"]["steps"]
    return [(step["payload"].get("content") or {}).get("status") for step in steps]


async def test_a_model_is_added_step_by_step(bench: Bench) -> None:
    workflow_id = await bench.draft("Llama-3.1-8B-Instruct")
    triggered = await bench.trigger(workflow_id)
    events = triggered["workflow_steps"]["model_extraction_events"]
    assert (triggered["current_step"], triggered["status"], events["eta"]) == (4, "in_progress", 4)
    assert [step["id"] for step in events["steps"]] == STEPS
    done = await bench.until(workflow_id, "completed")
    assert statuses(done) == ["COMPLETED"] * 4
    model_id = done["workflow_steps"]["model_id"]
    assert done["workflow_steps"]["model"]["name"] == "Llama-3.1-8B-Instruct"
    found = await bench.call("GET", f"/models/{model_id}")
    assert found["model"]["base_model_relation"] == "finetune"
    assert found["model"]["tags"][0] == {"name": "mine", "color": "#3F8EF7"}
    assert found["model"]["model_licenses"]["faqs"]
    assert found["model"]["paper_published"]
    assert found["model"]["supported_endpoints"]["chat"]["enabled"]
    listed = await bench.call("GET", "/models/?table_source=model")
    assert [row["model"]["id"] for row in listed["models"]] == [model_id]
    told = [payload["payload"] for row, payload in await messages(bench.database) if row.path == "notifications"]
    assert [(one["type"], one["content"]["result"]["target_id"]) for one in told] == [
        ("model_onboarding_success", model_id)
    ]


async def test_a_logo_elsewhere_is_no_icon(bench: Bench) -> None:
    first = await bench.post(LOCAL, step_number=1, workflow_total_steps=5, provider_type="url")
    about = {"name": f"Tiny-{uuid4().hex[:8]}", "uri": "https://example.com/tiny", "author": "acme"}
    refused = {"workflow_id": first["workflow_id"], "step_number": 2, **about, "icon": "https://example.com/logo.png"}
    assert (await bench.post(LOCAL, 422, **refused))["param"] == "icon"
    await bench.post(LOCAL, **refused | {"icon": ""})
    await bench.trigger(first["workflow_id"])
    done = await bench.until(first["workflow_id"], "completed")
    assert done["workflow_steps"]["model"]["icon"] is None, "budmodel names a logo_url"


async def test_posting_the_trigger_many_times_at_once_asks_once(bench: Bench) -> None:
    workflow_id = await bench.draft()
    answers = await asyncio.gather(*(bench.trigger(workflow_id) for _ in range(6)))
    assert {answer["status"] for answer in answers} == {"in_progress"}
    assert await bench.asked(workflow_id) == 1
    await bench.until(workflow_id, "completed")
    await bench.trigger(workflow_id, 400)
    assert await bench.asked(workflow_id) == 1


@pytest.mark.parametrize("step", STEPS)
async def test_a_step_that_fails_fails_the_workflow_and_a_retry_completes_it(bench: Bench, step: str) -> None:
    workflow_id = await bench.draft()
    await bench.peer.does_wrong(workflow_id, fail_at=step, message="The disk is full", times=1)
    await bench.trigger(workflow_id)
    failed = await bench.until(workflow_id, "failed")
    assert "The disk is full" in failed["reason"]
    assert "FAILED" in statuses(failed)
    told = [payload["payload"] for row, payload in await messages(bench.database) if row.path == "notifications"]
    assert [(one["type"], one["content"]["status"]) for one in told] == [("local_model_onboarding_failed", "FAILED")]
    retried = await bench.post(f"/workflows/{workflow_id}/retry")
    assert (retried["status"], retried["reason"]) == ("in_progress", None)
    assert statuses(await bench.until(workflow_id, "completed")) == ["COMPLETED"] * 4


async def test_whoever_may_add_models_no_longer_retries_nothing(bench: Bench, cast: Cast) -> None:
    workflow_id = await bench.draft()
    await bench.peer.does_wrong(workflow_id, fail_at="model_download", times=1)
    await bench.trigger(workflow_id)
    await bench.until(workflow_id, "failed")
    withdrawn = [{"name": "model:manage", "has_permission": False}]
    path = f"/permissions/{bench.person.id}/global"
    answer = await bench.http.put(path, json=withdrawn, headers=cast.admin.headers)
    assert answer.status_code == 200, answer.text
    await bench.post(f"/workflows/{workflow_id}/retry", 403)
    assert (await bench.get(workflow_id))["status"] == "failed"


async def test_late_events_of_an_earlier_attempt_change_nothing(bench: Bench) -> None:
    name = f"Late-{uuid4().hex[:8]}"
    workflow_id = await bench.draft(name)
    await bench.peer.does_wrong(workflow_id, fail_at="model_download", times=1)
    await bench.trigger(workflow_id)
    await bench.until(workflow_id, "failed")
    await bench.peer.does_wrong(name, silent_from="1")
    retried = await bench.post(f"/workflows/{workflow_id}/retry")
    for event in bench.seen:
        await bench.deliver({**event, "time": "2031-01-01T00:00:00Z"})
    now = await bench.get(workflow_id)
    assert now["status"] == "in_progress"
    assert now["workflow_steps"] == retried["workflow_steps"]


BAD_FAULTS: list[dict[str, Any]] = [{"duplicate": "publish"}, {"duplicate": "delivery"}, {"reorder": "swap"}]


@pytest.mark.parametrize("fault", BAD_FAULTS)
async def test_repeated_and_reordered_events_lead_to_the_same_end(bench: Bench, fault: dict[str, Any]) -> None:
    workflow_id = await bench.draft()
    await bench.peer.does_wrong(workflow_id, **fault)
    await bench.trigger(workflow_id)
    await bench.until(workflow_id, "completed")
    await asyncio.sleep(1)
    await bench.pump()
    assert statuses(await bench.get(workflow_id)) == ["COMPLETED"] * 4
    assert (await bench.sql("select count(*) from model"))[0][0] == 1


async def test_results_that_come_first_complete_it_and_later_steps_are_still_ticked(bench: Bench) -> None:
    workflow_id = await bench.draft()
    await bench.peer.does_wrong(workflow_id, reorder="reverse")
    await bench.trigger(workflow_id)
    await bench.until(workflow_id, "completed")

    await asyncio.sleep(1)
    await bench.pump()
    assert statuses(await bench.get(workflow_id)) == ["COMPLETED"] * 4


async def test_events_that_come_before_the_answer_are_kept(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer takes long on its way back, so that all events are there before it."""
    workflow_id = await bench.draft()
    dapr, arrived = components_of(bench.app)[DaprClient], asyncio.Event()
    invoke = dapr.invoke

    async def late(*arguments: Any, **options: Any) -> Any:
        answer = await invoke(*arguments, **options)
        await arrived.wait()
        return answer

    monkeypatch.setattr(dapr, "invoke", late)
    monkeypatch.setattr(bench.settings, "workflow_answer_seconds", 60)
    asking = asyncio.create_task(bench.trigger(workflow_id))
    for event in await bench.until_told(13, "results"):
        await bench.deliver(event)
    assert (await bench.get(workflow_id))["status"] == "in_progress"
    assert (await bench.trigger(workflow_id))["status"] == "in_progress"
    arrived.set()
    answered = await asking
    assert answered["status"] == "completed"
    assert statuses(answered) == ["COMPLETED"] * 4
    assert await bench.asked(workflow_id) == 1


async def test_what_was_cancelled_while_the_service_was_asked_stays_cancelled(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    workflow_id = await bench.draft()
    dapr, asked, arrived = components_of(bench.app)[DaprClient], asyncio.Event(), asyncio.Event()
    invoke = dapr.invoke

    async def late(*arguments: Any, **options: Any) -> Any:
        answer = await invoke(*arguments, **options)
        asked.set()
        await arrived.wait()
        return answer

    monkeypatch.setattr(dapr, "invoke", late)
    monkeypatch.setattr(bench.settings, "workflow_answer_seconds", 60)
    asking = asyncio.create_task(bench.trigger(workflow_id))
    await asked.wait()
    await bench.call("DELETE", f"/workflows/{workflow_id}")
    arrived.set()
    assert (await asking)["status"] == "cancelled"
    for event in await bench.until_told(13, "results"):
        await bench.deliver(event)
    assert (await bench.get(workflow_id))["status"] == "cancelled"
    assert await bench.sql("select * from model") == []


async def test_a_silent_service_fails_it_after_the_deadline_and_late_results_are_taken_back(bench: Bench) -> None:
    workflow_id = await bench.draft()
    await bench.trigger(workflow_id)
    told = await bench.until_told(13, "results")
    for event in told[:4]:
        await bench.deliver(event)
    await bench.reconcile()
    assert (await bench.get(workflow_id))["status"] == "in_progress"
    await bench.sql("update workflow_attempt set deadline_at = now() - interval '1 second'")
    await bench.reconcile()
    failed = await bench.get(workflow_id)
    assert failed["status"] == "failed"
    assert "not been heard of" in failed["reason"]
    assert "FAILED" in statuses(failed)
    for event in told[4:]:
        await bench.deliver(event)
    assert (await bench.get(workflow_id))["status"] == "failed"
    assert [row.method for row, _ in await messages(bench.database) if row.target == "budmodel"] == ["DELETE"]


async def test_a_cancelled_one_stays_so_and_its_files_are_deleted(bench: Bench) -> None:
    workflow_id = await bench.draft()
    await bench.trigger(workflow_id)
    told = await bench.until_told(13, "results")
    cancelled = await bench.call("DELETE", f"/workflows/{workflow_id}")
    assert cancelled["message"] == "Successfully cancelled model onboarding."
    for event in told:
        await bench.deliver(event)
    assert (await bench.get(workflow_id))["status"] == "cancelled"
    assert await bench.sql("select * from model") == []
    [deletion] = [row for row, _ in await messages(bench.database) if row.target == "budmodel"]
    assert (deletion.path or "").startswith("model-info/local-models?path=")
    await bench.call("DELETE", f"/workflows/{workflow_id}", 400)
    await bench.post(f"/workflows/{workflow_id}/retry", 400)


@pytest.mark.parametrize(("status", "expected"), [(422, 400), (500, 502), (200, 502)])
async def test_a_service_that_refuses_leaves_a_draft_that_can_be_triggered_again(
    bench: Bench, status: int, expected: int
) -> None:
    workflow_id = await bench.draft()
    await bench.peer.does_wrong(workflow_id, status=status, times=1)
    await bench.trigger(workflow_id, expected)
    draft = await bench.get(workflow_id)
    assert draft["status"] == "in_progress"
    assert draft["reason"]
    await bench.trigger(workflow_id)
    done = await bench.until(workflow_id, "completed")
    assert done["reason"] is None


async def test_a_service_that_is_slow_to_answer_holds_nobody_and_the_screen_has_its_list_at_once(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench.settings, "workflow_answer_seconds", 0.2)
    workflow_id = await bench.draft()
    await bench.peer.does_wrong(workflow_id, delay_seconds=3, times=1)
    answered = await bench.trigger(workflow_id)
    shown = answered["workflow_steps"]["model_extraction_events"]
    assert (answered["status"], shown["workflow_id"]) == ("in_progress", workflow_id)
    assert [step["id"] for step in shown["steps"]] == ["validation", "model_download", "model_extraction", "save_model"]
    assert {str(step["payload"]["content"]) for step in shown["steps"]} == {"None"}
    assert (await bench.trigger(workflow_id))["status"] == "in_progress"

    done = await bench.until(workflow_id, "completed")
    assert statuses(done) == ["COMPLETED"] * 4
    assert await bench.asked(workflow_id) == 1


async def test_a_refusal_after_the_screen_has_its_list_is_shown_there(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench.settings, "workflow_answer_seconds", 0.2)
    workflow_id = await bench.draft()
    await bench.peer.does_wrong(workflow_id, delay_seconds=1, status=500, times=1)
    assert (await bench.trigger(workflow_id))["status"] == "in_progress"

    failed = await bench.until(workflow_id, "failed")
    [step, *_] = failed["workflow_steps"]["model_extraction_events"]["steps"]
    assert step["payload"]["content"]["status"] == "FAILED"
    assert step["payload"]["content"]["message"] == failed["reason"] == "Unable to perform model extraction"
    await bench.post(f"/workflows/{workflow_id}/retry")
    await bench.until(workflow_id, "completed")


async def test_a_process_that_dies_with_a_call_in_the_background_leaves_what_the_reconciler_ends(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench.settings, "workflow_answer_seconds", 0.1)
    workflow_id = await bench.draft()
    await bench.peer.does_wrong(workflow_id, hang=True, times=1)
    await bench.trigger(workflow_id)
    await components_of(bench.app)[Workflows].stop()
    assert (await bench.get(workflow_id))["status"] == "in_progress"

    await bench.sql("update workflow_attempt set lease_expires_at = now() - interval '1 second'")
    await bench.reconcile()
    failed = await bench.get(workflow_id)
    assert failed["status"] == "failed"
    assert "Interrupted" in failed["reason"]


async def test_a_service_that_never_answers_is_503_and_can_be_asked_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench.settings, "workflow_ask_seconds", 0.5)
    workflow_id = await bench.draft()
    await bench.peer.does_wrong(workflow_id, hang=True, times=1)
    await bench.trigger(workflow_id, 503)
    await bench.trigger(workflow_id)
    await bench.until(workflow_id, "completed")


async def test_a_failure_that_comes_after_another_process_took_the_call_over_ends_nothing(bench: Bench) -> None:
    workflow_id = await bench.draft()
    await bench.peer.does_wrong(workflow_id, delay_seconds=1, status=500, times=1)
    asking = asyncio.create_task(bench.trigger(workflow_id))
    await until(lambda: _is_asking(bench), 30)
    await bench.sql("update workflow_attempt set lock_token = gen_random_uuid()")
    assert (await asking)["status"] == "in_progress"
    assert await _is_asking(bench)


@pytest.mark.parametrize("lock", [crud.lock, crud.lock_of])
async def test_a_workflow_that_somebody_changes_is_waited_for(bench: Bench, lock: Lock) -> None:
    workflow_id = UUID(await bench.draft())
    await interrupted(bench, str(workflow_id))

    async def step_that_is_seen() -> int | None:
        async with bench.database.write() as session:
            found = await lock(session, workflow_id)
            return found.current_step if found else None

    async with bench.database.write() as session:
        workflow = await lock(session, workflow_id)
        assert workflow is not None
        waiting = asyncio.create_task(step_that_is_seen())
        await asyncio.sleep(0.3)
        assert not waiting.done()
        workflow.current_step = 7
    assert await waiting == 7


async def _is_asking(bench: Bench) -> bool:
    return [row.state for row in await bench.sql("select state from workflow_attempt")] == ["asking"]


async def test_work_whose_answer_was_lost_is_followed_by_its_events(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench.settings, "workflow_ask_seconds", 3)
    workflow_id = await bench.draft()
    await bench.peer.does_wrong(workflow_id, hang=True, but_do_it=True)
    asking = asyncio.create_task(bench.trigger(workflow_id))
    for event in (await bench.until_told(13, "results"))[:5]:
        await bench.deliver(event)
    answered = await asking
    assert answered["status"] == "in_progress"
    assert statuses(await bench.get(workflow_id))[0] == "COMPLETED"
    assert await bench.asked(workflow_id) == 1


async def test_a_process_that_dies_before_the_call_leaves_what_fails_with_a_reason(bench: Bench) -> None:
    workflow_id = await bench.draft()
    await interrupted(bench, workflow_id)
    await bench.reconcile()
    assert (await bench.get(workflow_id))["status"] == "in_progress", "the lease is not over"
    await bench.sql("update workflow_attempt set lease_expires_at = now() - interval '1 second'")
    await asyncio.gather(bench.reconcile(), bench.reconcile())
    failed = await bench.get(workflow_id)
    assert failed["status"] == "failed"
    assert "Interrupted" in failed["reason"]
    assert await bench.asked(workflow_id) == 0
    await bench.post(f"/workflows/{workflow_id}/retry")
    await bench.until(workflow_id, "completed")


async def test_a_process_that_dies_after_the_call_loses_nothing_and_asks_no_second_time(bench: Bench) -> None:
    workflow_id = await bench.draft()
    await bench.trigger(workflow_id)
    told = await bench.until_told(13, "results")
    await bench.sql(
        "update workflow_attempt set state = 'asking', peer_workflow_id = null, deadline_at = null,"
        " lease_expires_at = now() - interval '1 second'"
    )
    await bench.sql("update workflow_step set data = '{}' where step_number = 4")
    for event in told[:5]:
        await bench.deliver(event)
    await bench.reconcile()
    assert statuses(await bench.get(workflow_id))[0] == "COMPLETED"
    for event in told[5:]:
        await bench.deliver(event)
    assert statuses(await bench.get(workflow_id)) == ["COMPLETED"] * 4
    assert (await bench.get(workflow_id))["status"] == "completed"
    assert await bench.asked(workflow_id) == 1


async def interrupted(bench: Bench, workflow_id: str) -> None:
    """Leave what a process leaves that dies between writing down that it asks, and asking.

    The attempt's correlation id is the workflow's id.
    """
    await bench.sql(
        "insert into workflow_attempt (id, tenant_id, workflow_id, number, state, correlation_id, step_number,"
        " early_events, lease_expires_at, created_at, modified_at)"
        " select gen_random_uuid(), tenant_id, id, 1, 'asking', id, 4, '[]', now() + interval '1 minute', now(), now()"
        " from workflow where id = cast(:id as uuid)",
        id=workflow_id,
    )


async def test_two_workflows_for_one_name_end_with_one_model(bench: Bench) -> None:
    first, second = await bench.draft("Twin-7b"), await bench.draft("Twin-7b")
    await bench.trigger(first)
    await bench.trigger(second)
    await bench.until(first, "completed")
    failed = await bench.until(second, "failed")
    assert failed["reason"] == "A model with this name already exists; choose another name"
    await bench.call("GET", "/models/?table_source=model")
    assert (await bench.sql("select count(*) from model"))[0][0] == 1


async def test_a_caller_that_names_a_topic_is_told_the_outcome_there(bench: Bench) -> None:
    workflow_id = await bench.draft(callback_topic="budpipelineEvents")
    await bench.trigger(workflow_id)
    [request] = await bench.peer.requests(workflow_id)
    assert request["body"]["source_topic"] == [bench.settings.app_topic, "budpipelineEvents"]
    await bench.until(workflow_id, "completed")
    [body] = [payload for row, payload in await messages(bench.database) if row.target == "budpipelineEvents"]
    assert (body["type"], body["workflow_id"], body["status"]) == ("workflow_completed", workflow_id, "COMPLETED")
    body = {"step_number": 1, "workflow_total_steps": 5, "callback_topic": "budClusterMessages"}
    refused = await bench.post(LOCAL, 400, **body)
    assert refused["param"] == "callback_topic"


async def test_somebody_elses_workflow_is_not_found(bench: Bench, cast: Cast) -> None:
    workflow_id = await bench.draft()
    for person in (cast.tester, cast.other_admin, cast.other_developer):
        for method, path in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/retry")):
            answer = await bench.http.request(method, f"/workflows/{workflow_id}{path}", headers=person.headers)
            assert answer.status_code == 404, (method, answer.text)
    assert (await bench.http.get(f"/workflows/{workflow_id}", headers=cast.manager.headers)).status_code == 200
    step = {"step_number": 2, "workflow_id": workflow_id, "author": "somebody else"}
    assert (await bench.http.post(LOCAL, json=step, headers=cast.manager.headers)).status_code == 404


async def test_a_step_of_another_type_finds_no_workflow(bench: Bench) -> None:
    await bench.post(CLOUD, 404, step_number=2, workflow_id=await bench.draft(), provider_type="cloud_model")


async def test_what_a_service_works_on_is_not_marked_as_completed(bench: Bench) -> None:
    workflow_id = await bench.draft()
    await bench.peer.does_wrong(workflow_id, silent_from="1")
    await bench.trigger(workflow_id)
    await bench.call("PATCH", f"/workflows/{workflow_id}", 400)
    assert (await bench.get(workflow_id))["status"] == "in_progress"


async def test_drafts_that_nobody_touches_expire(bench: Bench) -> None:
    old, fresh = await bench.draft(), await bench.draft()
    await bench.sql("update workflow set modified_at = now() - interval '15 days' where id = cast(:id as uuid)", id=old)
    await components_of(bench.app)[Workflows].reconciler.expire_drafts()
    assert (await bench.get(old))["status"] == "cancelled"
    assert (await bench.get(fresh))["status"] == "in_progress"


async def test_reading_costs_few_statements(bench: Bench, statements: Statements) -> None:
    workflow_id = await bench.draft()
    await bench.trigger(workflow_id)
    model_id = (await bench.until(workflow_id, "completed"))["workflow_steps"]["model_id"]
    paths = ["/workflows", f"/workflows/{workflow_id}", "/models/?table_source=model", "/models/", "/models/providers"]
    for path in [*paths, f"/models/{model_id}"]:
        statements.clear()
        await bench.call("GET", path)
        assert len(statements) <= 3, path
    listed = await bench.call("GET", "/workflows?order_by=-modified_at")
    assert listed["total_record"] == 0


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        ({"step_number": 1}, 422, None),
        ({"step_number": 0, "workflow_total_steps": 5}, 422, "step_number"),
        (
            {"step_number": 1, "workflow_total_steps": 5, "workflow_id": "00000000-0000-4000-8000-000000000000"},
            422,
            None,
        ),
        ({"step_number": 2, "workflow_id": "00000000-0000-4000-8000-000000000000"}, 404, None),
        ({"step_number": 1, "workflow_total_steps": 5, "provider_type": "cloud_model"}, 422, "provider_type"),
        ({"step_number": 1, "workflow_total_steps": 5, "provider_type": "url", "uri": "ftp://x"}, 400, "uri"),
        *(
            ({"step_number": 1, "workflow_total_steps": 5, "provider_type": "hugging_face", "uri": uri}, 400, "uri")
            for uri in ("x", "../x", "acme/..", "acme/.x", "-acme/x", "acme/x-", "acme/a--b", "acme/a..b", "acmé/x")
        ),
        *(
            ({"step_number": 1, "workflow_total_steps": 5, "provider_type": "hugging_face", "uri": uri}, 400, "uri")
            for uri in ("acme/x\u0661", "acme/x.git", "acme/x/y", f"acme/{'x' * 97}", "acme/\uff58")
        ),
        ({"step_number": 1, "workflow_total_steps": 5, "provider_type": "disk", "uri": "a/../../etc"}, 400, "uri"),
        ({"step_number": 3, "workflow_total_steps": 5, "trigger_workflow": True}, 400, "provider_type"),
    ],
)
async def test_what_is_missing_or_wrong_is_named(
    bench: Bench, body: dict[str, Any], status: int, param: str | None
) -> None:
    answer = await bench.post(LOCAL, status, **body)
    if param:
        assert answer["param"] == param
    assert await bench.sql("select * from workflow") == []
