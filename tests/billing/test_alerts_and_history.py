"""Alerts, history, new cycles, and whether somebody may go on."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select, update
from uuid_utils.compat import uuid7

from budapp.billing_ops import alerts
from budapp.billing_ops.crud import note_usage
from budapp.billing_ops.limits import Standing
from budapp.billing_ops.models import AlertType, BillingAlert, BillingPlan, UserBilling, UserUsage
from budapp.billing_ops.usage import take_over_usage
from budapp.commons.database import Database, now
from budapp.commons.domain import components_of
from budapp.commons.errors import PeerFailed
from budapp.integrations.dapr import DaprClient
from budapp.user_ops.models import User
from tests.billing.test_billing import set_up, set_usage
from tests.cast import Cast, Person
from tests.peers.conftest import StandIn, environment, stand_in
from tests.projects.data import MISSING, messages

__all__ = ["environment", "stand_in"]


@pytest.fixture
async def budmetrics(stand_in: Callable[[str], StandIn]) -> AsyncIterator[StandIn]:
    peer = stand_in("budmetrics")
    yield peer
    await peer.behave()


async def make_alert(client: httpx.AsyncClient, person: Person, **fields: Any) -> dict[str, Any]:
    body = {"name": "Half", "alert_type": "token_usage", "threshold_percent": 50, **fields}
    answer = await client.post("/billing/alerts", json=body, headers=person.headers)
    assert answer.status_code == 200, answer.text
    made: dict[str, Any] = answer.json()["result"]
    return made


async def used(database: Database, person: Person, tokens: int, cost: str = "0") -> None:
    """Write down what the person has used in the current cycle."""
    async with database.write() as session:
        billing = await session.scalar(
            select(UserBilling).where(UserBilling.user_id == person.id, UserBilling.is_current)
        )
        assert billing is not None
        row = await session.scalar(select(UserUsage).where(UserUsage.user_id == person.id))
        row = row or UserUsage(tenant_id=person.tenant_id, user_id=person.id)
        row.period_start, row.tokens_used, row.cost_used = billing.billing_period_start, tokens, Decimal(cost)
        session.add(row)


async def test_usage_is_taken_over_for_everyone_in_one_call_and_stays_when_budmetrics_is_down(
    client: httpx.AsyncClient, cast: Cast, app: FastAPI, database: Database, budmetrics: StandIn
) -> None:
    dapr = components_of(app)[DaprClient]
    for person in (cast.client, cast.developer):
        await set_up(client, cast.admin, person.id)
        await set_usage(budmetrics, person.id, total_input_tokens=70, total_output_tokens=30, total_cost=1.5)
    start = datetime(2026, 11, 1, tzinfo=UTC)
    async with database.write() as session:
        period = {"billing_period_start": start, "billing_period_end": start + timedelta(days=60)}
        await session.execute(update(UserBilling).values(**period))
    assert await take_over_usage(database, dapr) == 2
    await budmetrics.does_wrong(str(cast.client.id), status=500)
    with pytest.raises(PeerFailed):
        await take_over_usage(database, dapr)
    await budmetrics.behave()
    await set_usage(budmetrics, cast.client.id, total_input_tokens=1)
    await take_over_usage(database, dapr)
    async with database.read() as session:
        rows = {row.user_id: row for row in await session.scalars(select(UserUsage))}
    found = rows[cast.client.id]
    assert (found.tokens_used, found.cost_used, found.prev_tokens_used) == (100, Decimal("1.5"), 0), "it never falls"
    async with database.write() as session:
        await session.execute(update(UserBilling).values(billing_period_start=start + timedelta(days=1)))
    await take_over_usage(database, dapr)
    async with database.read() as session:
        after = await session.scalar(select(UserUsage).where(UserUsage.user_id == cast.client.id))
    assert after is not None
    assert (after.tokens_used, after.prev_tokens_used, after.prev_cost_used) == (1, 100, Decimal("1.5"))


@pytest.mark.parametrize(
    ("fields", "tokens", "status", "allowed"),
    [
        ({}, 0, "allowed", True),
        ({"custom_token_quota": 100}, 100, "token_limit_exceeded", False),
        ({"custom_token_quota": 101}, 100, "allowed", True),
        ({"custom_cost_quota": "1.00"}, 0, "cost_limit_exceeded", False),
        ({"is_suspended": True}, 0, "suspended", False),
    ],
)
async def test_who_may_go_on(
    client: httpx.AsyncClient,
    cast: Cast,
    database: Database,
    budmetrics: StandIn,
    fields: dict[str, Any],
    tokens: int,
    status: str,
    allowed: bool,
) -> None:
    await set_up(client, cast.admin, cast.client.id)
    fields = {name: Decimal(value) if name == "custom_cost_quota" else value for name, value in fields.items()}
    if fields:
        async with database.write() as session:
            await session.execute(update(UserBilling).values(**fields))
    await set_usage(budmetrics, cast.client.id, total_input_tokens=tokens, total_cost=1)
    answer = await client.get("/billing/check-limits", headers=cast.client.headers)
    found = answer.json()["result"]
    assert (found["status"], found["allowed"], found["tokens_used"]) == (status, allowed, tokens)


async def test_without_budmetrics_what_is_known_counts(
    client: httpx.AsyncClient, cast: Cast, database: Database, budmetrics: StandIn
) -> None:
    await set_up(client, cast.admin, cast.client.id, custom_token_quota=10)
    await used(database, cast.client, 10)
    await budmetrics.does_wrong(str(cast.client.id), status=500)
    found = (await client.get("/billing/check-limits", headers=cast.client.headers)).json()["result"]
    assert (found["status"], found["tokens_used"]) == ("token_limit_exceeded", 10)
    admin = (await client.get("/billing/check-limits", headers=cast.admin.headers)).json()["result"]
    assert (admin["status"], admin["allowed"]) == ("admin_unlimited", True)


async def test_an_alert_is_told_once_in_a_cycle_by_both_channels(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    await set_up(client, cast.admin, cast.client.id, custom_token_quota=100)
    await make_alert(client, cast.client)
    await make_alert(client, cast.client, name="Nearly", threshold_percent=90)
    await used(database, cast.client, 49)
    before = len(await messages(database))
    assert await alerts.check_all(database) == 0
    await used(database, cast.client, 95)
    assert await alerts.check_all(database) == 2
    assert await alerts.check_all(database) == 0
    sent = [payload for _, payload in (await messages(database))[before:]]
    assert sorted(one["payload"]["type"] for one in sent) == ["billing_alert"] * 2 + ["billing_alert_email"] * 2
    assert {one["payload"]["content"]["result"]["priority"] for one in sent} == {"low", "high"}
    mails = [one for one in sent if one["payload"]["type"] == "billing_alert_email"]
    assert mails[0]["subscriber_ids"] == [cast.client.email]
    listed = (await client.get("/billing/alerts", headers=cast.client.headers)).json()["result"]
    assert [one["last_triggered_value"] for one in listed] == ["95.00", "95.00"]
    body = {"user_id": str(cast.client.id), "billing_plan_id": "00000000-0000-0000-0000-000000000002"}
    await client.put("/billing/plan", json={**body, "custom_token_quota": 110}, headers=cast.admin.headers)
    assert await alerts.check_all(database) == 1, "another quota arms them again: 95 of 110 is 86 %"


async def test_alerts_go_where_somebody_wants_them(client: httpx.AsyncClient, cast: Cast, database: Database) -> None:
    await set_up(client, cast.admin, cast.client.id, custom_token_quota=100)
    off = await make_alert(client, cast.client, name="Off", threshold_percent=1)
    await client.put(f"/billing/alerts/{off['id']}", json={"is_active": False}, headers=cast.client.headers)
    await make_alert(client, cast.client, alert_type="cost_usage", name="Cost", threshold_percent=100)
    await make_alert(client, cast.client, threshold_percent=1)
    wanted = {"enable_email_notifications": False}
    answer = await client.put("/billing/notification-preferences", json=wanted, headers=cast.client.headers)
    assert answer.json()["result"]["enable_email_notifications"] is False
    await used(database, cast.client, 5)
    before = len(await messages(database))
    answer = await client.post("/billing/check-alerts", headers=cast.client.headers)
    assert answer.json()["message"] == "1 alerts sent"
    [(_, sent)] = (await messages(database))[before:]
    assert sent["payload"]["type"] == "billing_alert"


async def test_alerts_are_one_s_own(client: httpx.AsyncClient, cast: Cast, database: Database) -> None:
    mine = await make_alert(client, cast.client)
    again = await client.post(
        "/billing/alerts",
        json={"name": "half", "alert_type": "token_usage", "threshold_percent": 1},
        headers=cast.client.headers,
    )
    assert (again.status_code, again.json()["param"]) == (409, "name")
    for person in (cast.admin, cast.other_admin):
        path = f"/billing/alerts/{mine['id']}"
        assert (await client.put(path, json={"is_active": False}, headers=person.headers)).status_code == 404
        assert (await client.delete(path, headers=person.headers)).status_code == 404
    assert (await client.delete(f"/billing/alerts/{mine['id']}", headers=cast.client.headers)).status_code == 200
    async with database.read() as session:
        assert (await session.scalars(select(BillingAlert))).all() == []
    for wrong in ({"threshold_percent": 0}, {"threshold_percent": 101}, {"alert_type": "x"}, {"name": " "}):
        body = {"name": "A", "alert_type": "token_usage", "threshold_percent": 1, **wrong}
        answer = await client.post("/billing/alerts", json=body, headers=cast.client.headers)
        assert (answer.status_code, answer.json()["param"]) == (422, next(iter(wrong)))


async def test_a_reset_begins_a_new_cycle_and_keeps_the_old_one(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    await set_up(client, cast.admin, cast.client.id, custom_token_quota=7)
    answer = await client.post(
        f"/billing/reset/{cast.client.id}", params={"reason": "Goodwill"}, headers=cast.admin.headers
    )
    assert answer.json()["result"] == {"reset": 1}, answer.text
    cycles = (await client.get("/billing/history", headers=cast.client.headers)).json()["result"]
    assert [(one["cycle_number"], one["is_current"], one["custom_token_quota"]) for one in cycles] == [
        (2, True, 7),
        (1, False, 7),
    ]
    assert cycles[1]["superseded_by_id"] == cycles[0]["id"]
    assert cycles[0]["billing_period_start"] > cycles[1]["billing_period_start"]
    by_admin = await client.get(f"/billing/history/{cast.client.id}", headers=cast.admin.headers)
    assert by_admin.json()["result"] == cycles
    assert (await client.get(f"/billing/history/{cast.client.id}", headers=cast.tester.headers)).status_code == 403
    assert (await client.get(f"/billing/history/{cast.client.id}", headers=cast.other_admin.headers)).status_code == 404
    assert (await client.post(f"/billing/reset/{MISSING}", headers=cast.admin.headers)).status_code == 404
    period = {"date": cycles[0]["billing_period_start"]}
    found = await client.get("/billing/history/period", params=period, headers=cast.client.headers)
    assert found.json()["result"]["id"] == cycles[0]["id"]
    long_ago = {"date": "2001-01-01T00:00:00Z"}
    assert (
        await client.get("/billing/history/period", params=long_ago, headers=cast.client.headers)
    ).status_code == 404


async def test_resets_of_all_concern_one_s_own_tenant_and_nobody_suspended(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    for admin, person in (
        (cast.admin, cast.client),
        (cast.admin, cast.developer),
        (cast.admin, cast.tester),
        (cast.other_admin, cast.other_developer),
    ):
        await set_up(client, admin, person.id)
    start = now() - timedelta(days=40)
    over = {"billing_period_start": start, "billing_period_end": start + timedelta(days=31), "billing_anchor": start}
    async with database.write() as session:
        mine = UserBilling.user_id == cast.client.id
        await session.execute(update(UserBilling).where(mine).values(**over))
        await session.execute(
            update(UserBilling).where(UserBilling.user_id == cast.tester.id).values(is_suspended=True)
        )
    expired = await client.post("/billing/reset-expired", headers=cast.admin.headers)
    assert expired.json()["result"] == {"reset": 1}
    everyone = await client.post("/billing/reset-all", headers=cast.admin.headers)
    assert everyone.json()["result"] == {"reset": 2}
    async with database.read() as session:
        statement = select(UserBilling.user_id, UserBilling.cycle_number).where(UserBilling.is_current)
        numbers: dict[UUID, int] = {row.user_id: row.cycle_number for row in await session.execute(statement)}
    assert numbers == {
        cast.client.id: 3,
        cast.developer.id: 2,
        cast.tester.id: 1,
        cast.other_developer.id: 1,
    }


async def test_the_history_of_usage_is_budmetrics(client: httpx.AsyncClient, cast: Cast, budmetrics: StandIn) -> None:
    await set_usage(budmetrics, cast.client.id, total_input_tokens=3, total_output_tokens=4, total_cost=0.5)
    body = {"start_date": "2026-11-01T00:00:00Z", "end_date": "2026-11-08T00:00:00Z"}
    answer = await client.post("/billing/history", json=body, headers=cast.client.headers)
    [point] = answer.json()["result"]["data"]
    assert (point["date"], point["tokens"], point["cost"]) == ("2026-11-01", 7, 0.5)
    back = {"start_date": body["end_date"], "end_date": body["start_date"]}
    assert (await client.post("/billing/history", json=back, headers=cast.client.headers)).status_code == 422
    await budmetrics.does_wrong(str(cast.client.id), status=500)
    assert (await client.post("/billing/history", json=body, headers=cast.client.headers)).status_code == 502


async def test_who_is_deleted_is_told_of_nothing(client: httpx.AsyncClient, cast: Cast, database: Database) -> None:
    await set_up(client, cast.admin, cast.client.id, custom_token_quota=100)
    await make_alert(client, cast.client)
    await used(database, cast.client, 90)
    async with database.write() as session:
        await session.execute(update(User).where(User.id == cast.client.id).values(status="deleted"))
    assert await alerts.check_all(database) == 0


def test_a_quota_of_nothing_is_used_up_from_the_start() -> None:
    plan = BillingPlan(monthly_token_quota=0, monthly_cost_quota=Decimal(0))
    standing = Standing(User(), UserBilling(), plan, None)
    for kind in AlertType:
        assert alerts._reached(standing, BillingAlert(alert_type=kind))[1] == 100


async def test_what_was_used_in_a_cycle_before_does_not_take_the_place_of_the_present_one(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    await set_up(client, cast.admin, cast.client.id)
    await used(database, cast.client, 5)
    async with database.write() as session:
        start = await session.scalar(select(UserUsage.period_start))
        assert start is not None
        about = {"tenant_id": cast.tenant_id, "user_id": cast.client.id, "id": uuid7()}
        figures = {"tokens_used": 900, "cost_used": Decimal(9), "prev_tokens_used": 0, "prev_cost_used": Decimal(0)}
        late = {
            **about,
            **figures,
            "period_start": start - timedelta(days=31),
            "modified_at": now(),
            "created_at": now(),
        }
        await note_usage(session, [late])
    async with database.read() as session:
        row = (await session.scalars(select(UserUsage))).one()
    assert (row.period_start, row.tokens_used, row.prev_tokens_used) == (start, 5, 0)


async def test_cycles_after_a_reset_begin_on_its_day(client: httpx.AsyncClient, cast: Cast, database: Database) -> None:
    await set_up(client, cast.admin, cast.client.id)
    earlier = now() - timedelta(days=10)
    async with database.write() as session:
        period = {"billing_anchor": earlier, "billing_period_start": earlier}
        await session.execute(update(UserBilling).values(**period))
    await client.post(f"/billing/reset/{cast.client.id}", headers=cast.admin.headers)
    async with database.read() as session:
        row = (await session.scalars(select(UserBilling).where(UserBilling.is_current))).one()
    assert row.billing_anchor == row.billing_period_start > earlier
