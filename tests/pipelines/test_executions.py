from uuid import uuid4

from tests.cast import Cast
from tests.pipelines.conftest import Builder, dag


async def test_an_execution_does_its_steps_and_is_told_of(builder: Builder, cast: Cast) -> None:
    made = await builder.pipeline()
    begun = await builder.execute(made, who="Ada")
    assert (begun["status"], begun["workflow_id"], begun["workflow_name"]) == ("RUNNING", made["id"], "Morning")
    over = await builder.ended(begun["execution_id"])
    execution = over["execution"]
    assert (execution["status"], execution["params"], execution["initiator"]) == (
        "COMPLETED",
        {"who": "Ada"},
        str(cast.developer.id),
    )
    assert execution["outputs"] == {"greet": {"success": True}, "rest": {"success": True}}
    assert execution["id"] == execution["execution_id"]
    assert execution["started_at"] == execution["start_time"]
    assert [(step["step_id"], step["name"], step["status"]) for step in over["steps"]] == [
        ("greet", "Greet", "COMPLETED"),
        ("rest", "Rest", "COMPLETED"),
    ]
    assert over["aggregated_progress"]["completed_steps"] == 2
    assert over["recent_events"]
    asked = [one for one in await builder.peer.requests(made["id"]) if one["path"] == "/executions"]
    assert asked[0]["body"]["subscriber_ids"] == asked[0]["body"]["user_id"] == str(cast.developer.id)
    assert (await builder.call("GET", f"/{made['id']}"))["execution_count"] == 1


async def test_a_step_that_fails_ends_the_execution_with_its_reason(builder: Builder) -> None:
    made = await builder.pipeline()
    await builder.peer.does_wrong(made["id"], fail_at="rest", message="No bed")
    over = await builder.ended((await builder.execute(made))["execution_id"])
    execution = over["execution"]
    assert (execution["status"], execution["error"], execution["error_info"]["step_id"]) == ("FAILED", "No bed", "rest")
    assert [(step["status"], step["error"]) for step in over["steps"]] == [("COMPLETED", None), ("FAILED", "No bed")]


async def test_executions_are_listed_page_by_page(builder: Builder) -> None:
    made = await builder.pipeline()
    ids = [(await builder.execute(made))["execution_id"] for _ in range(3)]
    first = await builder.call("GET", "/executions", params={"workflow_id": made["id"], "page_size": 2})
    second = await builder.call("GET", "/executions", params={"workflow_id": made["id"], "page_size": 2, "page": 2})
    assert first["pagination"] == {"page": 1, "page_size": 2, "total_count": 3, "total_pages": 2}
    assert [one["id"] for one in [*first["executions"], *second["executions"]]] == ids[::-1]
    assert {one["workflow_id"] for one in first["executions"]} == {made["id"]}
    for execution_id in ids:
        await builder.ended(execution_id)
    done = await builder.call("GET", "/executions", params={"workflow_id": made["id"], "status": "completed"})
    assert done["pagination"]["total_count"] == 3


async def test_without_a_pipeline_the_callers_own_are_listed(builder: Builder, cast: Cast) -> None:
    mine = await builder.call("POST", "/run", 201, json={"pipeline_definition": dag(), "params": {}})
    manager = builder.of(cast.manager)
    theirs = await manager.call("POST", "/run", 201, json={"pipeline_definition": dag(), "params": {}})
    listed = {one["id"] for one in (await builder.call("GET", "/executions"))["executions"]}
    assert mine["execution_id"] in listed
    assert theirs["execution_id"] not in listed
    await builder.call("GET", "/executions", 400, params={"initiator": str(cast.manager.id)})


async def test_what_budpipeline_lists_of_others_is_not_shown(builder: Builder, cast: Cast) -> None:
    mine, theirs = (str(person.id) for person in (builder.person, cast.manager))
    listed = [{"id": str(uuid4()), "status": "RUNNING", "initiator": one} for one in (mine, theirs, None)]
    await builder.peer.does_wrong(mine, status=200, answer={"executions": listed}, times=1)
    shown = (await builder.call("GET", "/executions"))["executions"]
    assert [one["id"] for one in shown] == [listed[0]["id"]]


async def test_executions_of_others_are_not_there(builder: Builder, cast: Cast) -> None:
    made = await builder.pipeline()
    begun = await builder.execute(made)
    run = await builder.call("POST", "/run", 201, json={"pipeline_definition": dag()})
    for other in (cast.tester, cast.other_admin):
        await builder.of(other).call("GET", "/executions", 404, params={"workflow_id": made["id"]})
        for execution_id in (begun["execution_id"], run["execution_id"]):
            await builder.of(other).call("GET", f"/executions/{execution_id}", 404)
            await builder.of(other).call("GET", f"/executions/{execution_id}/progress", 404)
    shown = await builder.of(cast.manager).call("GET", f"/executions/{begun['execution_id']}")
    assert shown["workflow_id"] == made["id"]
    assert len(shown["steps"]) == 2
