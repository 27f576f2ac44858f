"""What budmodel reads in a license, after a model has got one."""

from typing import Any
from uuid import uuid4

from tests.workflows.conftest import Bench

ONE, TWO = "https://example.com/mit", "https://example.com/apache-2.0"


async def licensed(bench: Bench, model_id: str, url: str | None) -> dict[str, Any] | None:
    fields = {"license_url": (None, url)} if url else {"remove_license": (None, "true")}
    answer = await bench.http.patch(f"/models/{model_id}", files=fields, headers=bench.person.headers)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] | None = answer.json()["model"]["model_licenses"]
    return found


async def local_model(bench: Bench) -> str:
    workflow_id = await bench.draft()
    await bench.trigger(workflow_id)
    return str((await bench.until(workflow_id, "completed"))["workflow_steps"]["model_id"])


async def faq_workflows(bench: Bench) -> list[str]:
    found = await bench.sql("select id from workflow where workflow_type = 'license_faq_fetch' order by created_at")
    return [str(row[0]) for row in found]


async def test_a_new_license_is_read(bench: Bench) -> None:
    model_id = await local_model(bench)
    fresh = await licensed(bench, model_id, TWO)
    assert fresh is not None
    assert (fresh["name"], fresh["path"], fresh["faqs"], fresh["license_type"]) == ("LICENSE", TWO, None, None)
    listed = await bench.call("GET", "/workflows")
    assert listed["workflows"] == [], "people don't see it among what they do"
    await bench.until((await faq_workflows(bench))[0], "completed")
    license = (await bench.call("GET", f"/models/{model_id}"))["model"]["model_licenses"]
    assert (license["name"], license["license_type"], license["url"]) == ("Apache License 2.0", "permissive", TWO)
    assert {faq["answer"] for faq in license["faqs"]} == {"YES", "NO"}


async def test_a_license_shows_nothing_that_was_read_in_the_one_before(bench: Bench) -> None:
    model_id = await local_model(bench)
    await licensed(bench, model_id, TWO)
    await bench.until((await faq_workflows(bench))[0], "completed")
    shown = await licensed(bench, model_id, ONE)
    assert shown is not None
    names = ("faqs", "license_type", "description", "suitability")
    assert {name: shown.get(name) for name in names} == dict.fromkeys(names)


async def test_what_was_read_in_a_license_that_is_gone_is_left(bench: Bench) -> None:
    model_id = await local_model(bench)
    await licensed(bench, model_id, TWO)
    await licensed(bench, model_id, ONE)
    await licensed(bench, model_id, None)
    for workflow_id in await faq_workflows(bench):
        await bench.until(workflow_id, "completed")
    assert (await bench.call("GET", f"/models/{model_id}"))["model"]["model_licenses"] is None


async def test_the_newest_license_wins_whichever_is_read_first(bench: Bench) -> None:
    model_id = await local_model(bench)
    await licensed(bench, model_id, TWO)
    await licensed(bench, model_id, ONE)
    first, second = await faq_workflows(bench)
    await bench.until(second, "completed")
    await bench.until(first, "completed")
    license = (await bench.call("GET", f"/models/{model_id}"))["model"]["model_licenses"]
    assert (license["url"], license["name"]) == (ONE, "MIT License")


async def test_a_failed_reading_can_be_tried_again(bench: Bench) -> None:
    model_id = await local_model(bench)
    url = f"{TWO}/{uuid4()}"
    await bench.peer.does_wrong(url, status=500)
    await licensed(bench, model_id, url)
    workflow_id = (await faq_workflows(bench))[0]
    assert (await bench.get(workflow_id))["status"] == "failed"
    await bench.peer.behave()
    await bench.call("POST", f"/workflows/{workflow_id}/retry")
    await bench.until(workflow_id, "completed")
    assert (await bench.call("GET", f"/models/{model_id}"))["model"]["model_licenses"]["faqs"]


async def test_a_silent_service_fails_the_reading_and_leaves_the_license(bench: Bench) -> None:
    model_id = await local_model(bench)
    url = f"{TWO}/{uuid4()}"
    await bench.peer.does_wrong(url, silent_from="1")
    await licensed(bench, model_id, url)
    workflow_id = (await faq_workflows(bench))[0]
    await bench.sql("update workflow_attempt set deadline_at = now() - interval '1 second' where state = 'running'")
    await bench.reconcile()
    assert (await bench.get(workflow_id))["status"] == "failed"
    assert (await bench.call("GET", f"/models/{model_id}"))["model"]["model_licenses"]["url"] == url
