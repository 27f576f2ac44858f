"""A process of budapp that is killed in the middle, and another one that goes on."""

import asyncio

from budapp.commons.config import Settings
from tests.projects.data import messages
from tests.replicas import Replica
from tests.workflows.conftest import CLOUD, LOCAL, Bench, Json
from tests.workflows.killing import end_leases, killed_while_it_asks
from tests.workflows.test_cloud_model import TAGS, draft, offered


async def states(bench: Bench) -> list[str]:
    return [row[0] for row in await bench.sql("select state from workflow_attempt order by number")]


async def test_work_that_was_begun_is_followed_by_its_events(bench: Bench, replica: Replica) -> None:
    workflow_id = await bench.draft()
    await bench.peer.does_wrong(workflow_id, hang=True, but_do_it=True)
    trigger: Json = {"step_number": 3, "workflow_id": workflow_id, "trigger_workflow": True}
    await killed_while_it_asks(bench, replica, LOCAL, workflow_id, **trigger)
    assert await states(bench) == ["asking"]
    for event in await bench.until_told(13, "results"):
        await bench.deliver(event)
    assert (await bench.get(workflow_id))["status"] == "in_progress"
    await end_leases(bench)
    await bench.reconcile_until(workflow_id, "completed")
    assert (await states(bench), await bench.asked(workflow_id)) == (["completed"], 1)
    assert (await bench.sql("select count(*) from model"))[0][0] == 1


async def test_work_that_never_began_fails_and_a_retry_does_it(bench: Bench, replica: Replica) -> None:
    workflow_id = await bench.draft()
    await bench.peer.does_wrong(workflow_id, hang=True)
    trigger: Json = {"step_number": 3, "workflow_id": workflow_id, "trigger_workflow": True}
    await killed_while_it_asks(bench, replica, LOCAL, workflow_id, **trigger)
    await bench.reconcile()
    assert await states(bench) == ["asking"], "the lease is not over"
    await end_leases(bench)
    failed = await bench.reconcile_until(workflow_id, "failed")
    assert await bench.asked(workflow_id) == 1
    assert "Interrupted" in failed["reason"]
    await bench.peer.behave()
    await bench.post(f"/workflows/{workflow_id}/retry")
    await bench.until(workflow_id, "completed")
    assert await states(bench) == ["failed", "completed"]
    assert (await bench.sql("select count(*) from model"))[0][0] == 1


async def test_an_answer_that_was_lost_is_asked_for_again(bench: Bench, replica: Replica) -> None:
    offer = await offered(bench, "grok-2-vision", "xai")
    workflow_id = await draft(bench, offer)
    await bench.peer.does_wrong(offer["uri"], hang=True)
    last: Json = {"step_number": 5, "workflow_id": workflow_id, "trigger_workflow": True, "name": "Ours", "tags": TAGS}
    await killed_while_it_asks(bench, replica, CLOUD, offer["uri"], **last)
    await bench.peer.behave()
    await end_leases(bench)
    await asyncio.gather(*(bench.reconcile() for _ in range(3)))
    done = await bench.get(workflow_id)
    assert (done["status"], done["workflow_steps"]["model"]["name"]) == ("completed", "Ours")
    assert (await bench.sql("select count(*) from model"))[0][0] == 1


async def test_events_that_come_while_it_dies_count_once(bench: Bench, replica: Replica, settings: Settings) -> None:
    workflow_id = await bench.draft()
    await bench.trigger(workflow_id)
    told = await bench.until_told(13, "results")
    headers = {"dapr-api-token": settings.app_api_token.get_secret_value()}
    posts = [asyncio.create_task(replica.http.post("/notifications", json=event, headers=headers)) for event in told]
    await asyncio.wait(posts, return_when=asyncio.FIRST_COMPLETED)
    replica.kill()
    await asyncio.gather(*posts, return_exceptions=True)
    for event in told:
        await bench.deliver(event)
    done = await bench.get(workflow_id)
    assert done["status"] == "completed"
    steps = done["workflow_steps"]["model_extraction_events"]["steps"]
    assert {step["payload"]["content"]["status"] for step in steps} == {"COMPLETED"}
    assert (await bench.sql("select count(*) from model"))[0][0] == 1
    notices = [body["payload"]["type"] for _, body in await messages(bench.database)]
    assert notices.count("model_onboarding_success") == 1
