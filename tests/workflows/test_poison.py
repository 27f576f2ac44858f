"""What services report is broken now and then: it costs one workflow, with a reason, and nobody else anything."""

import json
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.workflows.conftest import Bench

Json = dict[str, Any]

TYPE = "perform_model_extraction"
STEPS: list[Json] = [
    {"id": "validation", "title": "Validating", "description": "", "payload": {}},
    {"id": "model_extraction", "title": "Extracting", "description": "", "payload": {}},
]


async def under_way(bench: Bench) -> str:
    """Return the id of a workflow that a service works on."""
    workflow_id = await bench.draft()
    found = json.dumps({"model_extraction_events": {"workflow_id": workflow_id, "steps": STEPS, "eta": 4}})
    await bench.sql(
        "insert into workflow_step (id, tenant_id, workflow_id, step_number, data, created_at, modified_at)"
        " select gen_random_uuid(), tenant_id, id, 4, cast(:data as jsonb), now(), now()"
        " from workflow where id = cast(:id as uuid)",
        id=workflow_id,
        data=found,
    )
    await bench.sql(
        "insert into workflow_attempt (id, tenant_id, workflow_id, number, state, correlation_id, step_number,"
        " early_events, lease_expires_at, deadline_at, created_at, modified_at)"
        " select gen_random_uuid(), tenant_id, id, 1, 'running', id, 4, '[]', now(), now() + interval '1 day', now(),"
        " now() from workflow where id = cast(:id as uuid)",
        id=workflow_id,
    )
    return workflow_id


def event(workflow_id: str, step: str = "results", status: str = "COMPLETED", **content: Any) -> Json:
    payload = {"category": "internal", "type": TYPE, "event": step, "workflow_id": workflow_id, "source": "budmodel"}
    return {"name": "n", "id": uuid4().hex, "payload": {**payload, "content": {"status": status, **content}}}


def extraction(**info: Any) -> Json:
    return {"local_path": f"files-{uuid4().hex}", "model_info": {"modality": "llm", **info}}


def nested(depth: int) -> list[Any]:
    found: list[Any] = []
    for _ in range(depth):
        found = [found]
    return found


async def deliver(bench: Bench, body: Any) -> Json:
    """Deliver what may not be JSON that httpx would write."""
    token = bench.settings.app_api_token.get_secret_value()
    headers = {"dapr-api-token": token, "content-type": "application/json"}
    answer = await bench.http.post("/notifications", content=json.dumps(body), headers=headers)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


@pytest.mark.parametrize(
    ("poison", "what"),
    [
        ({"description": "card\x00text"}, "a character that can't be stored, at model_info.description"),
        ({"tags": ["\ud800"]}, "a character that can't be stored, at model_info.tags.0"),
        ({"architecture": {"num_params": 1 << 63}}, "a number out of range, at model_info.architecture.num_params"),
        ({"architecture": {"text_config": {"x": float("nan")}}}, "a number out of range"),
        ({"tree": nested(900)}, "nesting deeper than 64 levels"),
    ],
)
async def test_results_that_cannot_be_stored_fail_the_workflow_with_the_reason(
    bench: Bench, poison: Json, what: str
) -> None:
    workflow_id = await under_way(bench)
    await deliver(bench, event(workflow_id, result=extraction(**poison)))

    failed = await bench.get(workflow_id)
    assert failed["status"] == "failed"
    assert failed["reason"].startswith(f"The results can't be stored: {what}")
    assert await bench.sql("select * from model") == []
    deleted = await bench.sql("select path from outbox_message where method = 'DELETE'")
    assert [row.path.startswith("model-info/local-models?path=files-") for row in deleted] == [True]


async def test_what_postgresql_itself_refuses_fails_the_workflow_with_a_reason(bench: Bench) -> None:
    workflow_id = await under_way(bench)
    await bench.sql("alter table model add constraint model_test check (description <> 'refuse this')")
    try:
        await deliver(bench, event(workflow_id, result=extraction(description="refuse this")))
    finally:
        await bench.sql("alter table model drop constraint model_test")
    failed = await bench.get(workflow_id)
    assert (failed["status"], failed["reason"]) == ("failed", "The results can't be stored")


@pytest.mark.parametrize(
    ("message", "reason"),
    [("no\x00space", "no\ufffdspace"), ("\udfff", "\ufffd"), ({"a": [1]}, '{"a": [1]}'), (7, "7")],
)
async def test_the_reason_of_a_step_that_failed_is_never_lost(bench: Bench, message: Any, reason: str) -> None:
    workflow_id = await under_way(bench)
    await deliver(bench, event(workflow_id, "validation", "FAILED", message=message))
    failed = await bench.get(workflow_id)
    assert (failed["status"], failed["reason"]) == ("failed", reason)
    [step, _] = failed["workflow_steps"]["model_extraction_events"]["steps"]
    assert step["payload"]["content"]["message"] == reason


@pytest.mark.parametrize("minutes", ["²", "٣", "-1", "1e3", "9" * 5000, "", None, [5], 2**70])
async def test_an_eta_that_is_no_number_of_minutes_changes_nothing(bench: Bench, minutes: Any) -> None:
    workflow_id = await under_way(bench)
    await deliver(bench, event(workflow_id, "eta", "RUNNING", message=minutes))
    found = await bench.get(workflow_id)
    assert (found["status"], found["workflow_steps"]["model_extraction_events"]["eta"]) == ("in_progress", 4)


@pytest.mark.parametrize(
    "config",
    [
        {"num_key_value_heads": [4, 8], "hidden_size": 64, "head_dim": 128},
        {"hidden_size": "auto", "rope_scaling": {"factor": "long"}},
        [1, 2],
        "none",
    ],
)
async def test_a_configuration_of_another_shape_is_kept_and_the_model_opens(bench: Bench, config: Any) -> None:
    workflow_id = await under_way(bench)
    result = extraction(architecture={"text_config": config, "num_params": 7}, languages="en", tags=["a", 5])
    await deliver(bench, event(workflow_id, result=result))

    done = await bench.get(workflow_id)
    assert done["status"] == "completed", done["reason"]
    model = (await bench.call("GET", f"/models/{done['workflow_steps']['model_id']}"))["model"]
    shown = model["architecture_text_config"] or {}
    assert (shown.get("num_key_value_heads"), model["model_size"], model["languages"]) == (None, 7, None)
    assert shown.get("hidden_size") == (64 if isinstance(config, dict) and "head_dim" in config else None)
    assert [tag["name"] for tag in model["tags"]] == ["mine", "a"]
    [(stored, unread)] = await bench.sql("select architecture_text_config, unread_info from model")
    assert (unread["model_info.languages"], unread["model_info.tags.1"]) == ("en", 5)
    if "head_dim" in config:
        assert stored == {"hidden_size": 64, "head_dim": 128}
        assert unread["model_info.architecture.text_config.num_key_value_heads"] == [4, 8]
    if isinstance(config, list | str):
        assert unread["model_info.architecture.text_config"] == config


odd = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(st.characters(exclude_categories=[]), max_size=5),
    st.sampled_from(["\x00", "\ud800", "²", "FAILED", "results", "eta", "x" * 3000]),
    st.builds(nested, st.sampled_from([1, 70, 300, 900])),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the ways to all parts of a JSON value."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [*([path] if path else []), *(place for key, part in inside for place in places(part, (*path, key)))]


VALID = [
    event("w", "validation", "STARTED", title="Validating", message="Soon"),
    event("w", "eta", "RUNNING", message="3"),
    event("w", "model_extraction", "FAILED", title="Extracting", message="The disk is full"),
    event(
        "w", result=extraction(tags=["a"], papers=[{"title": "t", "authors": ["a"], "url": "u"}], license={"faqs": []})
    ),
]


@st.composite
def changed(draw: st.DrawFn) -> Json:
    """A valid event of which a part or two are other than they should be, or missing."""
    body: Json = json.loads(json.dumps(draw(st.sampled_from(VALID))))
    for _ in range(draw(st.integers(1, 2))):
        *way, last = draw(st.sampled_from(places(body)))
        parent: Any = body
        for key in way:
            parent = parent[key]
        if draw(st.booleans()):
            parent[last] = draw(odd)
        else:
            del parent[last]
    return body


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(bodies=st.lists(changed(), min_size=1, max_size=4))
async def test_no_change_of_a_valid_event_blocks_crashes_or_loses_a_reason(bench: Bench, bodies: list[Json]) -> None:
    workflow_id = await under_way(bench)
    for body in bodies:
        text = json.dumps(body).replace('"workflow_id": "w"', f'"workflow_id": "{workflow_id}"')
        answer = await deliver(bench, json.loads(text))
        assert "kept" not in answer["message"], text[:2000]
    found = await bench.get(workflow_id)
    assert found["status"] in ("in_progress", "completed", "failed")
    assert found["status"] != "failed" or found["reason"]
    if found["status"] == "completed":
        await bench.call("GET", f"/models/{found['workflow_steps']['model_id']}")
    await bench.get(await under_way(bench))
