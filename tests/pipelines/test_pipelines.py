from typing import Any
from uuid import uuid4

import pytest

from budapp.commons.database import Database
from tests.cast import Cast
from tests.pipelines.conftest import AT, Builder, Json, dag


async def test_a_pipeline_is_made_listed_changed_and_deleted(builder: Builder) -> None:
    made = await builder.pipeline()
    assert (made["object"], made["name"], made["icon"], made["step_count"]) == ("pipeline", "Morning", "🌅", 2)
    assert made["dag"]["steps"][1]["depends_on"] == ["greet"]
    listed = (await builder.call("GET", ""))["workflows"]
    assert [(one["id"], one["execution_count"]) for one in listed] == [(made["id"], 0)]
    changed = await builder.call("PUT", f"/{made['id']}", json={"name": "Dawn"})
    assert (changed["name"], changed["icon"], changed["dag"]) == ("Dawn", "🌅", made["dag"])
    assert (await builder.call("GET", f"/{made['id']}"))["name"] == "Dawn"
    await builder.call("DELETE", f"/{made['id']}", 204)
    await builder.call("GET", f"/{made['id']}", 404)
    assert (await builder.call("GET", ""))["workflows"] == []


async def test_a_change_of_the_dag_keeps_what_budapp_does_not_know(builder: Builder) -> None:
    made = await builder.pipeline(dag=dag(settings={"fail_fast": True}))
    changed = await builder.call("PUT", f"/{made['id']}", json={"dag": dag(settings={"fail_fast": False})})
    assert changed["dag"]["settings"] == {"fail_fast": False}
    renamed = await builder.call("PUT", f"/{made['id']}", json={"name": "Dawn"})
    assert renamed["dag"]["settings"] == {"fail_fast": False}


def step(step_id: str, *after: str) -> Json:
    return {"id": step_id, "action": "log", "params": {"message": "x"}, "depends_on": [*after]}


BROKEN = {
    "a circle": ([step("a", "b"), step("b", "a")], "circle"),
    "a step that waits for itself": ([step("a", "a")], "circle"),
    "a missing step": ([step("a", "z")], "depends on a step that is not there"),
    "two of one id": ([step("a"), step("a")], "the id of another one"),
    "no step": ([], "no step"),
    "no action": ([{"id": "a", "action": " "}], "no action"),
}


@pytest.mark.parametrize("what", BROKEN)
async def test_what_can_not_be_carried_out_is_refused_before_budpipeline_is_asked(builder: Builder, what: str) -> None:
    steps, words = BROKEN[what]
    name = f"Broken {uuid4()}"
    body = {"name": name, "dag": {**dag(), "name": name, "steps": steps}}
    refused = await builder.call("POST", "", 422, json=body)
    assert refused["param"] == "dag"
    assert words in refused["message"]
    await builder.call("POST", "/run", 422, json={"pipeline_definition": body["dag"]})
    told = await builder.call("POST", "/validate", json={"dag": body["dag"]})
    assert told["valid"] is False
    assert any(words in error for error in told["errors"])
    assert told["has_cycles"] is (words == "circle")
    assert await builder.peer.requests(name) == []


async def test_what_only_budpipeline_can_tell_is_told(builder: Builder) -> None:
    odd = dag({"id": "a", "action": "fly", "depends_on": []})
    told = await builder.call("POST", "/validate", json={"dag": odd})
    assert told["valid"] is False
    assert "unknown action fly" in told["errors"][0]
    refused = await builder.call("POST", "", 400, json={"dag": odd})
    assert "unknown action fly" in refused["message"]
    assert (await builder.call("POST", "/validate", json={"dag": dag()}))["valid"] is True


@pytest.mark.parametrize(
    "bad",
    [
        {"steps": [step("a")] * 201},
        {"description": "x" * 1001},
        {"outputs": {"much": "x" * 300_000}},
        {"name": "a\x00b"},
        {"outputs": {"a": "\x00"}},
    ],
)
async def test_a_dag_is_limited(builder: Builder, bad: Json) -> None:
    await builder.call("POST", "", 422, json={"dag": dag(**bad)})


async def test_a_nested_dag_is_refused_not_an_error(builder: Builder) -> None:
    deep: Any = {}
    for _ in range(80):
        deep = {"in": deep}
    await builder.call("POST", "", 422, json={"dag": dag(outputs=deep)})


async def test_people_see_their_own_and_who_manages_users_reaches_the_tenants(builder: Builder, cast: Cast) -> None:
    made = await builder.pipeline()
    for other in (cast.tester, cast.client, cast.other_admin, cast.other_developer):
        assert (await builder.of(other).call("GET", ""))["workflows"] == []
        await builder.of(other).call("GET", f"/{made['id']}", 404)
        await builder.of(other).call("PUT", f"/{made['id']}", 404, json={"name": "Mine"})
        await builder.of(other).call("DELETE", f"/{made['id']}", 404)
        await builder.of(other).call("POST", f"/{made['id']}/execute", 404, json={})
    manager = builder.of(cast.manager)
    assert (await manager.call("PUT", f"/{made['id']}", json={"name": "Dusk"}))["user_id"] == str(cast.developer.id)
    await manager.call("DELETE", f"/{made['id']}", 204)


async def test_what_budpipeline_lists_of_others_is_not_shown(builder: Builder, cast: Cast) -> None:
    about = {"name": "Listed", "created_at": "2026-11-01T00:00:00Z"}
    owners = (str(builder.person.id), str(cast.manager.id), None)
    listed = [{**about, "id": str(uuid4()), "user_id": owner} for owner in owners]
    request_id = str(uuid4())
    await builder.peer.does_wrong(request_id, status=200, answer={"items": listed})
    answer = await builder.http.get(AT, headers={**builder.person.headers, "x-request-id": request_id})
    assert [one["id"] for one in answer.json()["workflows"]] == [listed[0]["id"]]


async def test_nobody_makes_a_pipeline_for_others_or_the_platform(builder: Builder, cast: Cast) -> None:
    made = await builder.pipeline(user_id=str(cast.manager.id), system_owned=True)
    assert (made["user_id"], made["system_owned"]) == (str(cast.developer.id), False)


async def test_the_platforms_own_pipelines_are_shown_where_asked(builder: Builder) -> None:
    known = {"id": str(uuid4()), "dag": dag(), "name": "Upkeep", "system_owned": True}
    await builder.peer.http.put("/control/pipelines", json=known)
    listed = (await builder.call("GET", "", params={"include_system": True}))["workflows"]
    assert known["id"] in {one["id"] for one in listed}
    assert (await builder.call("GET", ""))["workflows"] == []
    await builder.call("PUT", f"/{known['id']}", 404, json={"name": "Mine"})


async def test_a_pipeline_made_past_budapp_is_its_makers_once_listed(builder: Builder, cast: Cast) -> None:
    known = {"id": str(uuid4()), "dag": dag(), "name": "Old", "user_id": str(cast.developer.id)}
    await builder.peer.http.put("/control/pipelines", json=known)
    await builder.call("GET", f"/{known['id']}", 404)
    assert known["id"] in {one["id"] for one in (await builder.call("GET", ""))["workflows"]}
    assert (await builder.call("GET", f"/{known['id']}"))["name"] == "Old"
    await builder.of(cast.tester).call("GET", f"/{known['id']}", 404)


async def test_actions_are_listed_and_their_parameters_looked_at(builder: Builder) -> None:
    listed = await builder.call("GET", "/actions")
    known = {one["type"]: one for one in listed["actions"]}
    assert listed["total"] == len(known)
    assert known["model_add"]["executionMode"] == "event_driven"
    assert known["http_request"]["params"][2]["visibleWhen"] == {
        "param": "method",
        "equals": "POST",
        "notEquals": None,
    }
    assert (await builder.call("GET", "/actions/log"))["category"] == "Control Flow"
    await builder.call("GET", "/actions/fly", 404)
    for name in ("action_type", "actionType"):
        told = await builder.call("POST", "/actions/validate", json={name: "log", "params": {}})
        assert (told["valid"], told["errors"]) == (False, ["Missing required parameter: message"])


async def test_what_is_done_is_in_the_audit_trail(builder: Builder, cast: Cast) -> None:
    made = await builder.pipeline()
    await builder.call("PUT", f"/{made['id']}", json={"name": "Dawn"})
    await builder.call("DELETE", f"/{made['id']}", 204)
    query = {"resource_id": made["id"]}
    answer = await builder.http.get("/audit/records", params=query, headers=cast.admin.headers)
    assert answer.status_code == 200, answer.text
    done = [(one["action"], one["resource_name"]) for one in answer.json()["data"]]
    assert sorted(done) == [("create", "Morning"), ("delete", "Dawn"), ("update", "Dawn")]


async def test_a_deletion_takes_along_what_starts_the_pipeline(builder: Builder, database: Database) -> None:
    made = await builder.pipeline()
    schedule = await builder.schedule(made)
    await builder.call("POST", "/webhooks", 201, json={"workflow_id": made["id"], "name": "Hook"})
    await builder.call("DELETE", f"/{made['id']}", 204)
    await builder.call("GET", f"/schedules/{schedule['id']}", 404)
    for kind in ("schedules", "webhooks", "event-triggers"):
        left = (await builder.peer.http.get(f"/{kind}", params={"workflow_id": made["id"]})).json()
        assert left in ([], {"schedules": [], "total": 0})


async def test_a_deletion_takes_no_trigger_of_another_pipeline_along(builder: Builder) -> None:
    made, other = await builder.pipeline(), await builder.pipeline()
    schedule = await builder.schedule(other)
    path = f"/schedules/{schedule['id']}"
    listed = await builder.call("GET", path)
    answer = {"schedules": [listed], "items": []}
    await builder.peer.does_wrong(f"workflow_id={made['id']}", status=200, answer=answer)
    await builder.call("DELETE", f"/{made['id']}", 204)
    await builder.call("GET", path)
