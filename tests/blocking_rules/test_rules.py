"""Rules by which the gateway turns people away: checked, and brought to it in the form that it reads."""

import json
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from redis.asyncio import Redis

from budapp.blocking_rule_ops.patterns import network, pattern
from budapp.blocking_rule_ops.tables import GLOBAL, RuleTables
from budapp.commons.database import Database
from budapp.commons.domain import components_of
from tests.cast import Cast
from tests.gateway.conftest import own_settings, valkey
from tests.peers.conftest import StandIn, environment, stand_in

__all__ = ["environment", "own_settings", "stand_in", "valkey"]

Json = dict[str, Any]
RULES = "/metrics/gateway/blocking-rules"
IPS = {"rule_type": "ip_blocking", "rule_config": {"ip_addresses": ["203.0.113.7", "198.51.100.9/24", "2001:db8::1"]}}


class Desk:
    """The platform's super administrator, and the gateway's side."""

    def __init__(self, client: httpx.AsyncClient, cast: Cast, valkey: Redis, budmetrics: StandIn) -> None:
        self.client, self.cast, self.valkey, self.budmetrics = client, cast, valkey, budmetrics

    async def call(self, method: str, path: str, status: int = 200, body: Json | None = None, **query: Any) -> Json:
        request: Json = {"json": body} if body is not None else {}
        headers = self.cast.admin.headers
        answer = await self.client.request(method, path, headers=headers, params=query, **request)
        assert answer.status_code == status, answer.text
        return dict(answer.json())

    async def make(self, expected: int = 201, **fields: Any) -> Json:
        body = {"name": "Scrapers", **IPS, **fields}
        return dict((await self.call("POST", RULES, expected, body)).get("data", {}))

    async def at_gateway(self) -> list[Json]:
        value = await self.valkey.get(GLOBAL)
        return list(json.loads(value)) if value is not None else []


@pytest.fixture
async def desk(
    client: httpx.AsyncClient,
    cast: Cast,
    app: FastAPI,
    database: Database,
    valkey: Redis,
    stand_in: Callable[[str], StandIn],
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Desk]:
    tables, own = components_of(app)[RuleTables], RuleTables(database, valkey)
    for name in ("_valkey", "_store"):
        monkeypatch.setattr(tables, name, getattr(own, name))
    found = Desk(client, cast, valkey, stand_in("budmetrics"))
    yield found
    await found.budmetrics.behave()


async def test_a_rule_reaches_the_gateway_in_its_form_and_for_a_day(desk: Desk) -> None:
    made = await desk.make(reason="They scrape", priority=3)
    [entry] = await desk.at_gateway()
    assert entry == {
        "id": made["id"],
        "project_id": None,
        "endpoint_id": None,
        "rule_type": "IP_BLOCKING",
        "name": "Scrapers",
        "config": {"ip_addresses": ["203.0.113.7", "2001:db8::1"], "cidrs": ["198.51.100.0/24"]},
        "priority": 3,
        "status": "ACTIVE",
        "action": "block",
        "expires_at": None,
        "reason": "They scrape",
    }
    assert 86_000 < await desk.valkey.ttl(GLOBAL) <= 86_400
    assert await desk.valkey.get("blocking_rule_reason:Scrapers") == "They scrape"


async def test_changes_and_the_end_of_a_rule_reach_the_gateway(desk: Desk) -> None:
    first = await desk.make(reason="They scrape")
    config = {"threshold": 100, "window_seconds": 60}
    second = await desk.make(name="Fast", rule_type="rate_based_blocking", rule_config=config, priority=9)
    assert [one["name"] for one in await desk.at_gateway()] == ["Fast", "Scrapers"]
    path = f"{RULES}/{first['id']}"
    changed = await desk.call("PUT", path, body={"name": "Crawlers", "rule_config": {"ip_addresses": ["192.0.2.1"]}})
    assert changed["data"]["rule_config"]["ip_addresses"] == ["192.0.2.1"]
    assert await desk.valkey.get("blocking_rule_reason:Scrapers") is None
    assert await desk.valkey.get("blocking_rule_reason:Crawlers") == "They scrape"
    await desk.call("PUT", path, body={"status": "inactive", "reason": None})
    assert [one["name"] for one in await desk.at_gateway()] == ["Fast"]
    await desk.call("DELETE", f"{RULES}/{second['id']}")
    assert await desk.valkey.get(GLOBAL) is None
    assert (await desk.call("GET", RULES))["total"] == 1


async def test_a_gateway_that_was_emptied_has_the_rules_again(desk: Desk) -> None:
    await desk.make()
    await desk.valkey.flushdb()
    assert (await desk.call("POST", f"{RULES}/sync", body={"force_sync": True}))["active_rules"] == 1
    assert len(await desk.at_gateway()) == 1


@pytest.mark.parametrize("scope", ["project_id", "endpoint_id", "model_name"])
async def test_a_scope_that_the_gateway_does_not_know_is_refused(desk: Desk, scope: str) -> None:
    await desk.make(422, **{scope: "01a215b9-bc6c-74f0-85f5-f4a9cdb4376e"})
    made = await desk.make()
    await desk.call("PUT", f"{RULES}/{made['id']}", 422, {scope: "01a215b9-bc6c-74f0-85f5-f4a9cdb4376e"})


@pytest.mark.parametrize(
    ("rule_type", "config"),
    [
        ("ip_blocking", {"ip_addresses": []}),
        ("ip_blocking", {"ip_addresses": ["10.0.0.300"]}),
        ("ip_blocking", {"ip_addresses": ["0.0.0.0/0"]}),
        ("ip_blocking", {"countries": ["DE"]}),
        ("country_blocking", {"countries": ["Germany"]}),
        ("country_blocking", {"countries": ["DE"], "threshold": 3}),
        ("user_agent_blocking", {"patterns": ["/(a+)\\1/"]}),
        ("user_agent_blocking", {"patterns": ["/(?=bot)/"]}),
        ("user_agent_blocking", {"patterns": ["/(a{500}){500}/"]}),
        ("user_agent_blocking", {"patterns": ["/(/"]}),
        ("user_agent_blocking", {"patterns": ["*"]}),
        ("rate_based_blocking", {"threshold": 0, "window_seconds": 60}),
        ("rate_based_blocking", {"threshold": 10}),
        ("luck", {}),
    ],
)
async def test_what_the_gateway_could_not_act_on_is_422(desk: Desk, rule_type: str, config: Json) -> None:
    await desk.make(422, rule_type=rule_type, rule_config=config)
    assert await desk.at_gateway() == []


def test_patterns_and_networks_that_are_taken() -> None:
    for taken in ("curl", "*bot*", "/^python-requests\\/[0-9.]+$/", "/(?i)scraper|crawler/"):
        assert pattern(taken) == taken
    assert network("2001:DB8::/32") == "2001:db8::/32"
    assert network("10.1.2.3/8") == "10.0.0.0/8"


async def test_a_name_is_taken_once_and_a_type_stays(desk: Desk) -> None:
    made = await desk.make()
    await desk.make(409, name="scrapers")
    path = f"{RULES}/{made['id']}"
    await desk.call("PUT", path, 400, {"rule_type": "country_blocking"})
    await desk.call("PUT", path, 422, {"rule_config": {"countries": ["DE"]}})
    await desk.call("PUT", path, body={"rule_type": "ip_blocking", "priority": 1})


async def test_only_those_who_run_the_platform_have_rules(desk: Desk) -> None:
    made = await desk.make()
    for person in (desk.cast.manager, desk.cast.developer, desk.cast.client, desk.cast.other_admin):
        for method, path in (("GET", RULES), ("GET", f"{RULES}/{made['id']}"), ("DELETE", f"{RULES}/{made['id']}")):
            answer = await desk.client.request(method, path, headers=person.headers)
            assert answer.status_code == 403


async def test_what_rules_have_done_is_counted_by_budmetrics(desk: Desk) -> None:
    made = await desk.make()
    await desk.make(name="Fast", rule_type="country_blocking", rule_config={"countries": ["xx"]}, status="inactive")
    await desk.budmetrics.http.put("/control/blocked", json={"Scrapers": 7, "Gone": 2})
    [fast, scrapers] = sorted((await desk.call("GET", RULES))["items"], key=lambda one: str(one["name"]))
    assert (scrapers["match_count"], fast["match_count"], fast["rule_config"]["countries"]) == (7, 0, ["XX"])
    assert (await desk.call("GET", f"{RULES}/{made['id']}"))["data"]["match_count"] == 7
    for path in ("blocking-dashboard-stats", "blocking-rules-stats"):
        stats = await desk.call("GET", f"/metrics/gateway/{path}")
        assert (stats["total_rules"], stats["active_rules"], stats["inactive_rules"]) == (2, 1, 1)
        assert (stats["total_blocks_week"], stats["blocks_by_type"]) == (9, {"ip_blocking": 7})
        assert sum(one["count"] for one in stats["blocks_timeline"]) == 9
    found = await desk.call("GET", "/metrics/gateway/blocking-stats")
    assert (found["total_block_events"], found["items"][0]["ip_address"]) == (9, "203.0.113.7")
    await desk.budmetrics.http.delete("/control/blocked")


async def test_without_budmetrics_rules_are_known_and_their_counts_are_not(desk: Desk) -> None:
    await desk.make()
    desk.client.headers["x-request-id"] = sent_as = uuid4().hex
    await desk.budmetrics.does_wrong(sent_as, status=500)
    [rule] = (await desk.call("GET", RULES))["items"]
    assert rule["match_count"] is None
    await desk.call("GET", "/metrics/gateway/blocking-dashboard-stats", 502)
    await desk.call("POST", f"{RULES}/sync-stats", 502)


async def test_there_is_an_end_to_the_rules_that_the_gateway_looks_at(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("budapp.blocking_rule_ops.services.MOST_RULES", 2)
    for name in ("one", "two"):
        await desk.make(name=name)
    await desk.make(400, name="three")


async def test_what_others_have_put_beside_the_rules_stays(desk: Desk) -> None:
    await desk.valkey.set("blocking_rule_reason:Theirs", "not ours")
    made = await desk.make(reason="They scrape")
    await desk.call("DELETE", f"{RULES}/{made['id']}")
    assert await desk.valkey.get("blocking_rule_reason:Theirs") == "not ours"


@pytest.mark.parametrize(
    "period",
    [
        {"start_time": "2026-02-01T00:00:00Z", "end_time": "2026-01-01T00:00:00Z"},
        {"start_time": "2023-01-01T00:00:00Z", "end_time": "2026-01-01T00:00:00Z"},
        {"end_time": "0001-01-02T00:00:00Z"},
    ],
)
async def test_a_period_that_makes_no_sense_is_422(desk: Desk, period: Json) -> None:
    for path in ("blocking-rules-stats", "blocking-stats"):
        await desk.call("GET", f"/metrics/gateway/{path}", 422, **period)
