"""Plans, who has which, and how much of it is used."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, update

from budapp.billing_ops import cycles
from budapp.billing_ops.cycles import months_after, roll_cycles
from budapp.billing_ops.models import FREE_PLAN_ID, BillingPlan, UserBilling
from budapp.commons.config import Settings
from budapp.commons.database import Database, now
from budapp.commons.domain import components_of
from budapp.main import create_app
from budapp.user_ops.models import User
from tests.cast import PASSWORD, Cast, Person
from tests.peers.conftest import StandIn, environment, stand_in
from tests.statements import Statements

__all__ = ["environment", "stand_in"]

STARTER = "00000000-0000-0000-0000-000000000002"
ENTERPRISE = "00000000-0000-0000-0000-000000000004"

LATEST = datetime(9990, 1, 1)  # noqa: DTZ001 - Hypothesis adds the zone

Fields = dict[str, Any]


@pytest.fixture
async def budmetrics(stand_in: Callable[[str], StandIn]) -> AsyncIterator[StandIn]:
    """The stand-in of the running stack; every test's users are new to it."""
    peer = stand_in("budmetrics")
    yield peer
    await peer.behave()


async def set_usage(budmetrics: StandIn, user_id: UUID, **usage: float) -> None:
    answer = await budmetrics.http.put(f"/control/usage/{user_id}", json=usage)
    assert answer.status_code == 200, answer.text


async def set_up(client: httpx.AsyncClient, caller: Person, who: UUID, **more: object) -> httpx.Response:
    body = {"user_id": str(who), "billing_plan_id": STARTER, **more}
    return await client.post("/billing/setup", json=body, headers=caller.headers)


async def change(client: httpx.AsyncClient, caller: Person, who: UUID, **more: object) -> httpx.Response:
    body = {"user_id": str(who), "billing_plan_id": STARTER, **more}
    return await client.put("/billing/plan", json=body, headers=caller.headers)


async def usage_of(client: httpx.AsyncClient, caller: Person, user_id: UUID) -> Fields:
    answer = await client.get(f"/billing/user/{user_id}/usage", headers=caller.headers)
    assert answer.status_code == 200, answer.text
    found: Fields = answer.json()["result"]
    return found


async def test_anyone_sees_the_plans_the_cheapest_first(client: httpx.AsyncClient, cast: Cast) -> None:
    plans = (await client.get("/billing/plans")).json()["result"]
    assert [plan["name"] for plan in plans] == ["Free", "Starter", "Professional", "Enterprise"]
    assert (plans[0]["id"], plans[0]["monthly_token_quota"], plans[0]["monthly_cost_quota"]) == (
        str(FREE_PLAN_ID),
        100_000,
        "10.00",
    )
    assert (plans[3]["monthly_token_quota"], plans[3]["base_monthly_price"]) == (None, "999.00")


async def test_who_registers_has_the_free_plan_for_the_calendar_month(
    client: httpx.AsyncClient, cast: Cast, budmetrics: StandIn
) -> None:
    email = f"billed-{time.time_ns()}@example.com"
    assert (await client.post("/auth/register", json={"name": "B", "email": email, "password": PASSWORD})).is_success
    login = await client.post("/auth/login", json={"email": email, "password": PASSWORD})
    headers = {"Authorization": f"Bearer {login.json()['token']['access_token']}"}
    answer = await client.get("/billing/current", headers=headers)
    assert answer.status_code == 200, answer.text
    found = answer.json()["result"]
    assert (found["has_billing"], found["plan_name"], found["usage"]["tokens_quota"]) == (True, "Free", 100_000)
    start, end = (datetime.fromisoformat(found[f"billing_period_{edge}"]) for edge in ("start", "end"))
    assert start == now().replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    assert (end.day, end - start >= timedelta(days=28)) == (1, True)
    assert (await client.get("/billing/user/" + str(cast.client.id), headers=headers)).status_code == 403


@pytest.mark.parametrize(("user_type", "billed"), [("client", True), ("admin", False)])
async def test_an_invited_client_has_the_free_plan_and_an_administrator_none(
    client: httpx.AsyncClient, cast: Cast, user_type: str, billed: bool
) -> None:
    email = f"invited-{time.time_ns()}@example.com"
    body = {"name": "I", "email": email, "password": PASSWORD, "role": "developer", "user_type": user_type}
    made = await client.post("/users/", json=body, headers=cast.admin.headers)
    assert made.status_code == 200, made.text
    answer = await client.get(f"/billing/user/{made.json()['user']['id']}", headers=cast.admin.headers)
    assert answer.status_code == (200 if billed else 404)


async def test_registration_works_on_when_the_free_plan_cannot_be_had(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    free = update(BillingPlan).where(BillingPlan.id == FREE_PLAN_ID)
    async with database.write() as session:
        await session.execute(free.values(is_active=False))
    try:
        body = {"name": "B", "email": f"b-{time.time_ns()}@example.com", "password": PASSWORD}
        assert (await client.post("/auth/register", json=body)).status_code == 200
        async with database.read() as session:
            assert (await session.scalars(select(UserBilling))).all() == []
        refused = await set_up(client, cast.admin, cast.client.id, billing_plan_id=str(FREE_PLAN_ID))
        assert (refused.status_code, refused.json()["param"]) == (400, "billing_plan_id")
    finally:
        async with database.write() as session:
            await session.execute(free.values(is_active=True))


async def test_usage_is_what_budmetrics_says_of_the_user_in_the_cycle(
    client: httpx.AsyncClient, cast: Cast, budmetrics: StandIn
) -> None:
    await set_up(client, cast.admin, cast.client.id)
    await set_usage(
        budmetrics,
        cast.client.id,
        total_input_tokens=200_000,
        total_output_tokens=50_000,
        total_cost=12.5,
        request_count=40,
        success_count=39,
    )
    found = await usage_of(client, cast.admin, cast.client.id)
    assert found["usage"] == {
        "tokens_used": 250_000,
        "tokens_quota": 1_000_000,
        "tokens_usage_percent": 25.0,
        "cost_used": 12.5,
        "cost_quota": 100.0,
        "cost_usage_percent": 12.5,
        "request_count": 40,
        "success_rate": 97.5,
    }
    assert (found["plan_name"], found["billing_plan_id"], found["base_monthly_price"]) == ("Starter", STARTER, 29.0)
    own = await client.get("/billing/current", headers=cast.client.headers)
    assert own.json()["result"] == found
    asked = (await budmetrics.requests(str(cast.client.id)))[-1]
    assert "start_date=" in asked["query"]
    assert (asked["method"], asked["path"]) == ("GET", "/observability/usage/summary")


async def test_a_user_without_billing_has_no_usage_and_budmetrics_is_not_asked(
    client: httpx.AsyncClient, cast: Cast, budmetrics: StandIn
) -> None:
    found = await usage_of(client, cast.admin, cast.developer.id)
    assert found["has_billing"] is False
    assert {value for name, value in found.items() if name != "has_billing"} == {None}
    assert await budmetrics.requests(str(cast.developer.id)) == []


async def test_a_plan_is_set_up_once_and_changed_after_that(
    client: httpx.AsyncClient, cast: Cast, budmetrics: StandIn
) -> None:
    assert (await change(client, cast.admin, cast.client.id)).status_code == 404
    made = await set_up(client, cast.admin, cast.client.id, custom_token_quota=5)
    assert made.status_code == 200, made.text
    assert (await set_up(client, cast.admin, cast.client.id)).status_code == 409
    changed = await change(
        client, cast.admin, cast.client.id, billing_plan_id=ENTERPRISE, custom_token_quota=None, custom_cost_quota=7.25
    )
    assert changed.status_code == 200, changed.text
    found = (await client.get(f"/billing/user/{cast.client.id}", headers=cast.admin.headers)).json()["result"]
    assert found == changed.json()["result"] | {"modified_at": found["modified_at"]}
    assert (found["billing_plan_id"], found["custom_token_quota"], found["custom_cost_quota"]) == (
        ENTERPRISE,
        5,
        "7.25",
    )
    assert (found["id"], found["cycle_number"], found["is_current"]) == (made.json()["result"]["id"], 1, True)


async def test_a_custom_quota_of_0_gives_the_plans_again(
    client: httpx.AsyncClient, cast: Cast, budmetrics: StandIn
) -> None:
    await set_up(client, cast.admin, cast.client.id, custom_token_quota=5, custom_cost_quota=1)
    usage = (await usage_of(client, cast.admin, cast.client.id))["usage"]
    assert (usage["tokens_quota"], usage["cost_quota"]) == (5, 1.0)
    await change(client, cast.admin, cast.client.id, custom_token_quota=0, custom_cost_quota=0)
    usage = (await usage_of(client, cast.admin, cast.client.id))["usage"]
    assert (usage["tokens_quota"], usage["cost_quota"]) == (1_000_000, 100.0)
    await change(client, cast.admin, cast.client.id, billing_plan_id=ENTERPRISE)
    usage = (await usage_of(client, cast.admin, cast.client.id))["usage"]
    assert (usage["tokens_quota"], usage["tokens_usage_percent"], usage["cost_usage_percent"]) == (None, 0, 0)


@pytest.mark.parametrize(
    ("fields", "status", "param"),
    [
        ({"billing_plan_id": str(uuid4())}, 404, "billing_plan_id"),
        ({"user_id": str(uuid4())}, 404, None),
        ({"custom_token_quota": -1}, 422, "custom_token_quota"),
        ({"custom_token_quota": 10**30}, 422, "custom_token_quota"),
        ({"custom_cost_quota": "1.999"}, 422, "custom_cost_quota"),
        ({"custom_cost_quota": "NaN"}, 422, "custom_cost_quota"),
        ({"custom_cost_quota": 10**11}, 422, "custom_cost_quota"),
    ],
)
async def test_what_is_not_right_is_refused_by_name(
    client: httpx.AsyncClient, cast: Cast, fields: Fields, status: int, param: str | None
) -> None:
    assert (await set_up(client, cast.admin, cast.developer.id)).status_code == 200
    for answer in (
        await set_up(client, cast.admin, cast.client.id, **fields),
        await change(client, cast.admin, cast.developer.id, **fields),
    ):
        assert answer.status_code == status
        assert answer.json()["param"] == param


async def test_of_parallel_setups_one_succeeds(client: httpx.AsyncClient, cast: Cast) -> None:
    answers = await asyncio.gather(*(set_up(client, cast.admin, cast.client.id) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 7


async def test_a_foreign_tenants_user_is_404_like_one_who_never_was(client: httpx.AsyncClient, cast: Cast) -> None:
    await set_up(client, cast.admin, cast.client.id)
    for path in ("", "/usage"):
        theirs = await client.get(f"/billing/user/{cast.client.id}{path}", headers=cast.other_admin.headers)
        nobodys = await client.get(f"/billing/user/{uuid4()}{path}", headers=cast.other_admin.headers)
        assert theirs.status_code == nobodys.status_code == 404
        assert theirs.json()["message"] == nobodys.json()["message"]
    assert (await change(client, cast.other_admin, cast.client.id)).status_code == 404
    assert (await set_up(client, cast.other_admin, cast.client.id)).status_code == 404
    listed = await client.get("/billing/users-with-billing", headers=cast.other_admin.headers)
    assert listed.json()["result"] == []


async def test_the_list_names_the_tenants_billed_users_without_deleted_ones(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    for user_id in (cast.client.id, cast.developer.id):
        await set_up(client, cast.admin, user_id)
    async with database.write() as session:
        await session.execute(update(User).where(User.id == cast.developer.id).values(status="deleted"))
    listed = await client.get("/billing/users-with-billing", headers=cast.admin.headers)
    assert listed.json()["result"] == [str(cast.client.id)]
    refused = await change(client, cast.admin, cast.developer.id)
    assert (refused.status_code, refused.json()["param"]) == (400, "user_id")


async def test_only_who_manages_users_reads_or_changes_the_plans_of_others(
    client: httpx.AsyncClient, cast: Cast
) -> None:
    await set_up(client, cast.admin, cast.client.id)
    for person in (cast.client, cast.developer, cast.tester):
        assert (await set_up(client, person, person.id)).status_code == 403
        assert (await change(client, person, person.id)).status_code == 403
        for path in (f"user/{person.id}", f"user/{cast.client.id}/usage", "users-with-billing"):
            assert (await client.get(f"/billing/{path}", headers=person.headers)).status_code == 403


@pytest.mark.parametrize("status", [500, 404, 200])
async def test_a_failing_budmetrics_is_502(
    client: httpx.AsyncClient, cast: Cast, budmetrics: StandIn, status: int
) -> None:
    await set_up(client, cast.admin, cast.client.id)
    await budmetrics.does_wrong(str(cast.client.id), status=status)
    answer = await client.get("/billing/current", headers=cast.client.headers)
    assert answer.status_code == 502


async def test_a_silent_budmetrics_is_503_within_seconds(
    client: httpx.AsyncClient, cast: Cast, budmetrics: StandIn
) -> None:
    await set_up(client, cast.admin, cast.client.id)
    await budmetrics.does_wrong(str(cast.client.id), delay_seconds=15)
    started = time.monotonic()
    answer = await client.get("/billing/current", headers=cast.client.headers)
    assert (answer.status_code, "retry-after" in answer.headers) == (503, True)
    assert time.monotonic() - started < 8


@pytest.mark.parametrize("changes", [{"dapr_base_url": "http://127.0.0.1:9"}, {"bud_metrics_app_id": "nobody"}])
async def test_without_a_sidecar_or_a_budmetrics_it_is_503(
    client: httpx.AsyncClient, cast: Cast, app: FastAPI, changes: Fields
) -> None:
    await set_up(client, cast.admin, cast.client.id)
    replica = create_app(components_of(app)[Settings].model_copy(update=changes))
    transport = httpx.ASGITransport(replica)
    async with httpx.AsyncClient(transport=transport, base_url="http://budapp.test") as other:
        answer = await other.get("/billing/current", headers=cast.client.headers)
        assert (answer.status_code, "retry-after" in answer.headers) == (503, True)
    await components_of(replica).close()


async def test_reading_takes_few_statements(
    client: httpx.AsyncClient, cast: Cast, budmetrics: StandIn, statements: Statements
) -> None:
    await set_up(client, cast.admin, cast.client.id)
    await client.get("/users/me", headers=cast.client.headers)
    for path, person, count in [
        ("plans", cast.client, 1),
        ("current", cast.client, 1),
        ("users-with-billing", cast.admin, 1),
        (f"user/{cast.client.id}", cast.admin, 2),
        (f"user/{cast.client.id}/usage", cast.admin, 2),
    ]:
        statements.clear()
        assert (await client.get(f"/billing/{path}", headers=person.headers)).status_code == 200
        assert len(statements) == count, path


async def begun(database: Database, user_id: UUID, **values: object) -> None:
    async with database.write() as session:
        await session.execute(update(UserBilling).where(UserBilling.user_id == user_id).values(**values))


async def cycles_of(database: Database, user_id: UUID) -> list[UserBilling]:
    async with database.read() as session:
        statement = select(UserBilling).where(UserBilling.user_id == user_id).order_by(UserBilling.cycle_number)
        return list(await session.scalars(statement))


async def test_a_cycle_that_is_over_is_followed_by_one_with_the_same_plan_and_quotas(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    await set_up(client, cast.admin, cast.client.id, custom_token_quota=5)
    await set_up(client, cast.admin, cast.developer.id)
    end = now() - timedelta(hours=1)
    start = months_after(end, -1)
    await begun(database, cast.client.id, billing_anchor=start, billing_period_start=start, billing_period_end=end)
    await asyncio.gather(*(roll_cycles(database) for _ in range(4)))
    old, new = await cycles_of(database, cast.client.id)
    assert (old.is_current, old.superseded_by_id, old.superseded_at is not None) == (False, new.id, True)
    assert (new.is_current, new.cycle_number, new.custom_token_quota, str(new.billing_plan_id)) == (True, 2, 5, STARTER)
    assert (new.billing_period_start, new.billing_period_end) == (end, months_after(start, 2))
    assert len(await cycles_of(database, cast.developer.id)) == 1


async def test_missed_cycles_are_passed_over_and_the_suspended_stay(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    for user_id in (cast.client.id, cast.developer.id):
        await set_up(client, cast.admin, user_id)
        long_ago = now() - timedelta(days=200)
        periods = {"billing_period_start": long_ago, "billing_period_end": months_after(long_ago, 1)}
        await begun(database, user_id, billing_anchor=long_ago, **periods)
    await begun(database, cast.developer.id, is_suspended=True)
    await roll_cycles(database)
    _, new = await cycles_of(database, cast.client.id)
    assert new.billing_period_start <= now() < new.billing_period_end
    assert len(await cycles_of(database, cast.developer.id)) == 1


@given(st.datetimes(timezones=st.just(UTC), max_value=LATEST), st.integers(1, 36))
def test_so_many_months_later_is_the_same_day_or_the_months_last(moment: datetime, months: int) -> None:
    later = months_after(moment, months)
    assert (later.year * 12 + later.month) - (moment.year * 12 + moment.month) == months
    assert later.time() == moment.time()
    assert later.day == moment.day or (later.day < moment.day and (later + timedelta(days=1)).day == 1)


@pytest.mark.parametrize(
    ("first", "months", "begins"),
    [
        (datetime(2026, 1, 31, tzinfo=UTC), 1, ["2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30", "2026-05-31"]),
        (datetime(2027, 12, 30, tzinfo=UTC), 1, ["2027-12-30", "2028-01-30", "2028-02-29", "2028-03-30"]),
        (datetime(2026, 11, 30, tzinfo=UTC), 3, ["2026-11-30", "2027-02-28", "2027-05-30"]),
        (datetime(2026, 1, 1, tzinfo=UTC), 1, ["2026-01-01", "2026-02-01", "2026-03-01"]),
    ],
)
def test_cycles_keep_to_the_first_day(
    monkeypatch: pytest.MonkeyPatch, first: datetime, months: int, begins: list[str]
) -> None:
    plan = BillingPlan(billing_cycle_months=months)
    cycle = UserBilling(
        billing_anchor=first, billing_period_start=first, billing_period_end=months_after(first, months)
    )
    cycle.cycle_number = 1
    found = [cycle]
    while len(found) < len(begins):
        end = found[-1].billing_period_end
        monkeypatch.setattr(cycles, "now", lambda end=end: end)
        found.append(cycles._following(found[-1], plan))
    assert [str(each.billing_period_start.date()) for each in found] == begins
    for one, next_one in pairwise(found):
        assert one.billing_period_end == next_one.billing_period_start
