from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.cast import Cast
from tests.pipelines.conftest import Builder, Json
from tests.waiting import until


async def executions_of(builder: Builder, pipeline: Json) -> list[Json]:
    found: Json = await builder.call("GET", "/executions", params={"workflow_id": pipeline["id"]})
    return list(found["executions"])


async def test_a_schedule_that_fires_once_runs_the_pipeline_at_its_time(builder: Builder, cast: Cast) -> None:
    made = await builder.pipeline()
    soon = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
    schedule = await builder.schedule(made, schedule={"type": "one_time", "run_at": soon})
    assert schedule["next_run_at"] is not None

    async def fired() -> bool:
        return bool(await executions_of(builder, made))

    await until(fired)
    [execution] = await executions_of(builder, made)
    assert execution["initiator"] == "schedule"
    over = await builder.ended(execution["id"])  # what began by itself can be looked at once it was listed
    assert over["execution"]["status"] == "COMPLETED"
    assert over["execution"]["workflow_id"] == made["id"]
    await builder.of(cast.tester).call("GET", f"/executions/{execution['id']}", 404)
    after = await builder.call("GET", f"/schedules/{schedule['id']}")
    assert (after["status"], after["run_count"], after["last_execution_id"]) == ("completed", 1, execution["id"])


async def test_a_cron_schedule_fires_again_and_again_until_it_is_paused(builder: Builder) -> None:
    made = await builder.pipeline()
    every = {"type": "cron", "expression": "*/5 * * * *", "timezone": "America/New_York"}
    schedule = await builder.schedule(made, schedule=every, params={"deep": True})
    due = f"/control/schedules/{schedule['id']}/due"
    for count in (1, 2):
        await builder.peer.http.post(due)
        assert (await builder.call("GET", f"/schedules/{schedule['id']}"))["run_count"] == count
    paused = await builder.call("POST", f"/schedules/{schedule['id']}/pause")
    assert (paused["enabled"], paused["next_run_at"]) == (False, None)
    await builder.peer.http.post(due)
    assert len(await executions_of(builder, made)) == 2
    resumed = await builder.call("POST", f"/schedules/{schedule['id']}/resume")
    assert resumed["enabled"] is True
    assert resumed["next_run_at"] is not None
    assert {tuple(one["params"].items()) for one in await executions_of(builder, made)} == {(("deep", True),)}


async def test_a_schedule_is_changed_fired_out_of_turn_and_deleted(builder: Builder, cast: Cast) -> None:
    made = await builder.pipeline()
    schedule = await builder.schedule(made, description="At night", max_runs=5)
    changed = await builder.call("PUT", f"/schedules/{schedule['id']}", json={"name": "Daily", "description": None})
    assert (changed["name"], changed["description"], changed["max_runs"]) == ("Daily", None, 5)
    assert changed["schedule"]["expression"] == "0 3 * * *"
    nothing = {"name": None, "schedule": None, "params": None, "enabled": None}
    await builder.call("PUT", f"/schedules/{schedule['id']}", 422, json=nothing)
    left = await builder.call("PUT", f"/schedules/{schedule['id']}", json=nothing | {"max_runs": None})
    assert (left["name"], left["schedule"], left["max_runs"]) == ("Daily", changed["schedule"], None)
    begun = await builder.call("POST", f"/schedules/{schedule['id']}/trigger")
    assert (await builder.ended(begun["execution_id"]))["execution"]["workflow_id"] == made["id"]
    assert [one["id"] for one in (await builder.call("GET", "/schedules"))["schedules"]] == [schedule["id"]]
    for other in (cast.tester, cast.other_admin):
        for method, tail in (
            ("GET", ""),
            ("DELETE", ""),
            ("POST", "/pause"),
            ("POST", "/resume"),
            ("POST", "/trigger"),
        ):
            await builder.of(other).call(method, f"/schedules/{schedule['id']}{tail}", 404)
        await builder.of(other).call("PUT", f"/schedules/{schedule['id']}", 404, json={"name": "Mine"})
        await builder.of(other).schedule(made, 404)
        await builder.of(other).call("GET", "/schedules", 404, params={"workflow_id": made["id"]})
        assert (await builder.of(other).call("GET", "/schedules"))["schedules"] == []
    await builder.call("DELETE", f"/schedules/{schedule['id']}", 204)
    await builder.call("GET", f"/schedules/{schedule['id']}", 404)


CRON = [
    ("* * * *", False),
    ("60 * * * *", False),
    ("0 24 * * *", False),
    ("0 0 0 * *", False),
    ("0 0 31 2 *", False),
    ("0 0 30 feb *", False),
    ("*/0 * * * *", False),
    ("5-1 * * * *", False),
    ("a * * * *", False),
    ("0 0 1 1 8", False),
    ("@reboot", False),
    ("", False),
    ("*/15 9-17 * * mon-fri", True),
    ("0 0 29 2 *", True),
    ("0 0 1,15 jan,jul *", True),
    ("@daily", True),
    ("0 0 * * 7", True),
]


@pytest.mark.parametrize(("expression", "is_fine"), CRON)
async def test_cron_expressions_are_checked(builder: Builder, expression: str, is_fine: bool) -> None:
    made = await builder.pipeline()
    when = {"type": "cron", "expression": expression}
    await builder.schedule(made, 201 if is_fine else 422, schedule=when)


@pytest.mark.parametrize(
    ("when", "status"),
    [
        ({"type": "interval", "expression": "15m"}, 201),
        ({"type": "interval", "expression": "@every 1h30m"}, 201),
        ({"type": "interval", "expression": "3600"}, 201),
        ({"type": "interval", "expression": "59s"}, 422),
        ({"type": "interval", "expression": "often"}, 422),
        ({"type": "interval", "expression": "400d"}, 422),
        ({"type": "interval"}, 422),
        ({"type": "cron", "expression": "0 3 * * *", "timezone": "Europe/Atlantis"}, 422),
        ({"type": "cron", "expression": "0 3 * * *", "timezone": "../../etc/passwd"}, 422),
        ({"type": "one_time"}, 422),
        ({"type": "one_time", "run_at": "2020-01-01T00:00:00Z"}, 400),
        ({"type": "one_time", "run_at": "2030-01-01T00:00:00"}, 422),
        ({"type": "sometimes"}, 422),
    ],
)
async def test_when_a_schedule_fires_is_checked(builder: Builder, when: Json, status: int) -> None:
    await builder.schedule(await builder.pipeline(), status, schedule=when)


async def test_a_schedule_that_has_expired_is_refused(builder: Builder) -> None:
    await builder.schedule(await builder.pipeline(), 400, expires_at="2020-01-01T00:00:00Z")


async def call_webhook(builder: Builder, webhook: Json, secret: str) -> int:
    path = webhook["endpoint_url"].partition("/trigger/")[2]
    answer = await builder.peer.http.post(f"/trigger/{path}", json={"params": {}}, headers={"x-webhook-secret": secret})
    return answer.status_code


async def test_a_webhooks_secret_is_shown_once_and_can_be_changed(builder: Builder, cast: Cast) -> None:
    made = await builder.pipeline()
    body = {"workflow_id": made["id"], "name": "Push", "require_secret": True, "params": {"branch": "main"}}
    webhook = await builder.call("POST", "/webhooks", 201, json=body)
    old = webhook["secret"]
    assert old
    assert webhook["config"]["require_secret"] is True
    [listed] = await builder.call("GET", "/webhooks", params={"workflow_id": made["id"]})
    assert "secret" not in listed
    assert old not in str(listed)
    assert await call_webhook(builder, webhook, "wrong") == 401
    assert await call_webhook(builder, webhook, old) == 200
    new = (await builder.call("POST", f"/webhooks/{webhook['id']}/rotate-secret"))["secret"]
    assert new != old
    assert (await call_webhook(builder, webhook, old), await call_webhook(builder, webhook, new)) == (401, 200)
    assert {one["initiator"] for one in await executions_of(builder, made)} == {"webhook"}
    for other in (cast.tester, cast.other_admin):
        await builder.of(other).call("POST", f"/webhooks/{webhook['id']}/rotate-secret", 404)
        await builder.of(other).call("DELETE", f"/webhooks/{webhook['id']}", 404)
        assert await builder.of(other).call("GET", "/webhooks") == []
    await builder.call("DELETE", f"/webhooks/{webhook['id']}", 204)
    assert await builder.call("GET", "/webhooks", params={"workflow_id": made["id"]}) == []


async def test_secrets_are_in_no_audit_entry(builder: Builder, cast: Cast) -> None:
    made = await builder.pipeline()
    webhook = await builder.call("POST", "/webhooks", 201, json={"workflow_id": made["id"], "name": "Push"})
    new = (await builder.call("POST", f"/webhooks/{webhook['id']}/rotate-secret"))["secret"]
    trail = await builder.http.get("/audit/records", headers=cast.admin.headers, params={"limit": 100})
    assert webhook["id"] in trail.text
    assert webhook["secret"] not in trail.text
    assert new not in trail.text


@pytest.mark.parametrize("config", [{"allowed_ips": ["nowhere"]}, {"headers_to_include": ["a b"]}])
async def test_a_webhooks_configuration_is_checked(builder: Builder, config: Json) -> None:
    made = await builder.pipeline()
    body = {"workflow_id": made["id"], "name": "Push", "config": config}
    await builder.call("POST", "/webhooks", 422, json=body)


@pytest.mark.parametrize("nested", [True, False])
async def test_an_event_starts_the_pipeline(builder: Builder, cast: Cast, nested: bool) -> None:
    made = await builder.pipeline()
    event: dict[str, Any] = {"event_type": f"model_added.{made['id'][:8]}", "filters": {"category": "internal"}}
    body = {"workflow_id": made["id"], "name": "On a model", **({"config": event} if nested else event)}
    trigger = await builder.call("POST", "/event-triggers", 201, json=body)
    assert trigger["config"] == event
    for category, count in (("inapp", 0), ("internal", 1)):
        told = {"payload": {"type": event["event_type"], "category": category}}
        await builder.peer.http.post("/workflow-events", json=told)
        assert len(await executions_of(builder, made)) == count
    [listed] = await builder.call("GET", "/event-triggers", params={"workflow_id": made["id"]})
    assert (listed["id"], listed["trigger_count"]) == (trigger["id"], 1)
    await builder.of(cast.other_admin).call("DELETE", f"/event-triggers/{trigger['id']}", 404)
    await builder.call("DELETE", f"/event-triggers/{trigger['id']}", 204)
    await builder.call("DELETE", f"/event-triggers/{trigger['id']}", 404)


async def test_an_event_trigger_names_an_event(builder: Builder) -> None:
    made = await builder.pipeline()
    await builder.call("POST", "/event-triggers", 422, json={"workflow_id": made["id"], "name": "On nothing"})
