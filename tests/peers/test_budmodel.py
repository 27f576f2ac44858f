"""budmodel's stand-in, asked through the sidecars as budapp asks."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from budapp.commons.config import load_settings
from budapp.integrations.dapr import DaprClient, Peer, PeerRefused
from budapp.integrations.storage import Storage
from tests.peers.conftest import Caller, Fields, StandIn, Topic
from tests.waiting import until

EXTRACTION = ["validation", "model_download", "model_extraction", "save_model"]


async def extract(dapr: DaprClient, caller: Caller, **changes: Any) -> Fields:
    body = {"model_name": f"Model {uuid4()}", "model_uri": "Qwen/Qwen2.5-7B-Instruct", "provider_type": "hugging_face"}
    answer = await dapr.invoke(Peer.BUDMODEL, "POST", "model-info/extract", {**body, **caller.meta(), **changes})
    return dict(answer)


async def test_an_extraction_is_answered_with_its_steps_and_told_step_by_step(
    dapr: DaprClient, caller: Caller, topic: Topic
) -> None:
    answer = await extract(dapr, caller)
    assert answer["object"] == "workflow_metadata"
    assert answer["workflow_name"] == "perform_model_extraction"
    assert [step["id"] for step in answer["steps"]] == EXTRACTION
    assert all(set(step) == {"id", "title", "description"} for step in answer["steps"])
    await topic.until_told("results")
    told = [(step, status) for step in EXTRACTION for status in ("STARTED", "COMPLETED")]
    assert await topic.steps() == [*told, ("results", "COMPLETED")]
    minutes = [event["payload"]["content"]["message"] for event in await topic.events() if _is_eta(event)]
    assert minutes == ["4", "3", "2", "1"]


def _is_eta(event: Fields) -> bool:
    return bool(event["payload"]["event"] == "eta")


async def test_events_have_the_envelope_of_the_platform(dapr: DaprClient, caller: Caller, topic: Topic) -> None:
    await extract(dapr, caller)
    await topic.until_count(1)
    event = (await topic.events())[0]
    payload = event["payload"]
    assert event["notification_type"] == "event"
    assert event["name"] == "bud-internal"
    assert event["subscriber_ids"] == caller.user_id
    assert event["source_topic"] == "budModelMessages"
    assert event["type"] == "notification"
    assert {"id", "data"}.isdisjoint(event)
    assert payload["workflow_id"] == caller.workflow_id
    assert (payload["category"], payload["type"]) == ("internal", "perform_model_extraction")
    assert payload["source"] == "budmodel"


async def test_the_model_that_the_results_name_is_in_the_file_store_until_it_is_deleted(
    dapr: DaprClient, caller: Caller, topic: Topic
) -> None:
    await extract(dapr, caller, model_uri="meta-llama/Llama-3.1-8B-Instruct")
    await topic.until_told("results")
    result = (await topic.events())[-1]["payload"]["content"]["result"]
    assert {"model_info", "local_path", "workflow_id"} <= set(result)
    assert result["model_info"]["architecture"]["num_params"] == 8_000_000_000
    assert result["model_info"]["model_tree"]["is_finetune"] is True
    assert result["model_info"]["license"]["faqs"]
    assert await size_of(result["local_path"]) > 1_000_000
    await dapr.invoke(Peer.BUDMODEL, "DELETE", "model-info/local-models", params={"path": result["local_path"]})
    assert await size_of(result["local_path"]) == 0


async def size_of(path: str) -> int:
    settings = load_settings()
    client = Storage(settings)._client
    return sum(item.size or 0 for item in client.list_objects(settings.minio_bucket, f"{path}/", recursive=True))


async def test_the_same_model_is_the_same_whenever_it_is_asked_for(dapr: DaprClient) -> None:
    body = {"model_uri": "openai/gpt-4o"}
    first = await dapr.invoke(Peer.BUDMODEL, "POST", "model-info/cloud-model/extract", body)
    assert first == await dapr.invoke(Peer.BUDMODEL, "POST", "model-info/cloud-model/extract", body)
    assert first["model_info"]["uri"] == "openai/gpt-4o"


@pytest.mark.parametrize(("path", "total"), [("models/tiny-llama", 0), ("models/unsafe-llama", 3)])
async def test_a_scan_tells_what_it_has_found(
    dapr: DaprClient, caller: Caller, topic: Topic, path: str, total: int
) -> None:
    body = {"model_path": path, **caller.meta()}
    answer = await dapr.invoke(Peer.BUDMODEL, "POST", "model-info/scan", body)
    assert [step["id"] for step in answer["steps"]] == ["security_scan"]
    await topic.until_told("results")
    assert [e["payload"]["type"] for e in await topic.events() if _is_eta(e)] == ["perform_model_scanning"]
    found = (await topic.events())[-1]["payload"]["content"]["result"]["scan_result"]
    assert found["total_issues"] == len(found["model_issues"]) == total
    assert sum(found["total_issues_by_severity"].values()) == total


async def test_a_license_is_explained(dapr: DaprClient, caller: Caller, topic: Topic) -> None:
    body = {"license_source": "licenses/1/gemma.txt", **caller.meta()}
    await dapr.invoke(Peer.BUDMODEL, "POST", "model-info/license-faq", body)
    await topic.until_told("results")
    details = (await topic.events())[-1]["payload"]["content"]["result"]["license_details"]
    assert details["name"] == "Gemma Terms of Use"
    assert {"type", "type_description", "type_suitability"} <= set(details)
    assert all(isinstance(faq["reason"], list) for faq in details["faqs"])


async def test_leaderboards_have_the_rows_and_fields_that_are_asked_for(dapr: DaprClient) -> None:
    uris, get = ["meta-llama/Llama-3.1-8B", "Qwen/Qwen2.5-7B"], "GET"
    table = await dapr.invoke(Peer.BUDMODEL, get, "leaderboard/model-params", params={"model_uri": uris[0], "k": 3})
    assert table["leaderboards"][0]["uri"] == uris[0]
    assert len(table["leaderboards"]) == 3
    query = {"model_uris": uris, "benchmark_fields": ["mmlu", "bcfl"], "k": 5}
    compared = await dapr.invoke(Peer.BUDMODEL, get, "leaderboard/models/compare", params=query)
    assert [set(row) for row in compared["leaderboards"]] == [{"uri", "num_params", "mmlu", "bcfl"}] * 2
    listed = await dapr.invoke(Peer.BUDMODEL, get, "leaderboard/models-uris", params={"model_uris": uris})
    assert [row["uri"] for row in listed["leaderboards"]] == uris
    assert set(listed["leaderboards"][0]["benchmarks"][0]) == {"eval_name", "eval_label", "eval_score"}


@pytest.mark.parametrize(
    "change", [{"more": 1}, {"provider_type": "floppy"}, {"model_uri": None}, {"notification_metadata": {}}]
)
async def test_a_body_that_budmodel_would_refuse_is_refused(dapr: DaprClient, caller: Caller, change: Fields) -> None:
    with pytest.raises(PeerRefused) as refused:
        await extract(dapr, caller, **change)
    assert refused.value.peer_status == 422


async def test_every_topic_that_is_named_gets_the_events_and_the_user_too(
    dapr: DaprClient, caller: Caller, topic: Topic, stand_in: Callable[[str], StandIn]
) -> None:
    other = Topic(f"{topic.name}-other", topic.redis)
    await extract(dapr, caller, source_topic=[topic.name, other.name])
    await topic.until_told("results")
    await other.until_told("results")
    await other.redis.delete(other.name)

    async def shown() -> bool:
        found = await stand_in("notify").requests(caller.workflow_id)
        return len([one for one in found if one["path"] == "/notifications"]) == len(await topic.events())

    await until(shown)
