"""budpipeline fails, refuses, is slow, or talks nonsense: whoever asks is told so, and nothing is left half done."""

from typing import Any
from uuid import uuid4

import pytest

from tests.pipelines.conftest import Builder, Json, dag

ANSWERS = [
    ({"status": 500}, 502),
    ({"status": 503}, 502),
    ({"status": 200}, 502),
    ({"status": 401, "answer": {"detail": "No token"}}, 502),
    ({"status": 404, "answer": {"detail": "Pipeline not found"}}, 404),
    ({"status": 409, "answer": {"detail": "It is running"}}, 409),
    ({"status": 429, "answer": {"detail": "Slow down"}}, 429),
    ({"status": 422, "answer": {"detail": {"error": "Too odd"}}}, 400),
]


@pytest.mark.parametrize(("fault", "status"), ANSWERS)
async def test_each_answer_of_budpipelines_is_an_honest_one(builder: Builder, fault: Json, status: int) -> None:
    made = await builder.pipeline()
    await builder.peer.does_wrong(made["id"], **fault)
    told = await builder.call("GET", f"/{made['id']}", status)
    assert told["object"] == "error"
    assert told["message"]
    await builder.call("POST", f"/{made['id']}/execute", status, json={})
    await builder.call("GET", "/executions", status, params={"workflow_id": made["id"]})
    if status != 404:  # what is gone there is gone here, too
        await builder.call("DELETE", f"/{made['id']}", status)
    await builder.peer.behave()
    assert (await builder.call("GET", f"/{made['id']}"))["execution_count"] == 0


@pytest.mark.parametrize("answer", [{"id": "x"}, {"executions": "many"}, {"a": 1}])
async def test_nonsense_is_a_502(builder: Builder, answer: Any) -> None:
    made = await builder.pipeline()
    await builder.peer.does_wrong(made["id"], status=200, answer=answer)
    await builder.call("GET", f"/{made['id']}", 502)
    await builder.call("GET", "/executions", 502, params={"workflow_id": made["id"]})
    await builder.call("GET", "/schedules", 502, params={"workflow_id": made["id"]})


async def test_what_hangs_is_a_503_in_time(builder: Builder) -> None:
    made = await builder.pipeline()
    await builder.peer.does_wrong(made["id"], hang=True, times=1)
    told = await builder.call("GET", f"/{made['id']}", 503)
    assert "try again" in told["message"]


async def test_a_pipeline_that_was_made_although_the_answer_was_lost_is_found_by_its_maker(builder: Builder) -> None:
    name = f"Lost {uuid4()}"
    await builder.peer.does_wrong(name, status=500, but_do_it=True, times=1)
    await builder.call("POST", "", 502, json={"dag": dag(), "name": name})
    [found] = [one for one in (await builder.call("GET", ""))["workflows"] if one["name"] == name]
    await builder.call("DELETE", f"/{found['id']}", 204)


async def test_an_execution_whose_answer_was_lost_is_found_in_the_list(builder: Builder) -> None:
    made = await builder.pipeline()
    await builder.peer.does_wrong(made["id"], status=500, but_do_it=True, times=1)
    await builder.call("POST", f"/{made['id']}/execute", 502, json={})
    [found] = (await builder.call("GET", "/executions", params={"workflow_id": made["id"]}))["executions"]
    assert (await builder.ended(found["id"]))["execution"]["status"] == "COMPLETED"


async def test_a_deletion_that_failed_half_way_is_taken_up_again(builder: Builder) -> None:
    made = await builder.pipeline()
    schedule = await builder.schedule(made)
    await builder.peer.does_wrong(f"/pipelines/{made['id']}", status=500)
    await builder.call("DELETE", f"/{made['id']}", 502)
    await builder.peer.behave()
    await builder.call("GET", f"/{made['id']}")
    await builder.call("DELETE", f"/schedules/{schedule['id']}", 204)  # gone there already, so it goes here, too
    await builder.call("DELETE", f"/{made['id']}", 204)
    await builder.call("GET", f"/{made['id']}", 404)


async def test_a_new_secret_that_is_none_is_an_error(builder: Builder) -> None:
    made = await builder.pipeline()
    webhook = await builder.call("POST", "/webhooks", 201, json={"workflow_id": made["id"], "name": "Push"})
    shown = {name: value for name, value in webhook.items() if name not in {"secret", "object", "success", "message"}}
    await builder.peer.does_wrong(f"{webhook['id']}/rotate", status=200, answer={**shown, "secret": None})
    await builder.call("POST", f"/webhooks/{webhook['id']}/rotate-secret", 502)


async def test_a_trigger_of_another_pipeline_than_asked_is_not_believed(builder: Builder) -> None:
    made, other = await builder.pipeline(), await builder.pipeline()
    known = await builder.schedule(other)
    fake = {name: value for name, value in known.items() if name not in {"object", "success", "message"}}
    await builder.peer.does_wrong(made["id"], status=200, answer={**fake, "id": str(uuid4())})
    await builder.schedule(made, 502)
