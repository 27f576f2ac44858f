"""What was used, day by day."""

import csv
import io
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from budapp.commons.database import Database
from tests.cast import Cast
from tests.metrics.test_metrics import AGGREGATED, WEEK, Counted, counted
from tests.peers.conftest import environment, stand_in

__all__ = ["counted", "environment", "stand_in"]

DAYS: dict[str, Any] = {"from_day": "2026-11-01", "to_day": "2026-11-07"}


@pytest.mark.parametrize("by", ["project", "endpoint", "model", "api_key"])
async def test_days_add_up_to_the_whole(counted: Counted, by: str) -> None:
    whole = await counted.post(AGGREGATED, **WEEK, metrics=["total_requests", "total_tokens", "total_cost"])
    found = await counted.get("/metrics/usage", 200, by=by, **DAYS)
    rows = found["rows"]
    assert [row["day"] for row in rows] == sorted((row["day"] for row in rows), reverse=True)
    summary = whole["summary"]
    assert sum(row["requests"] for row in rows) == summary["total_requests"]["value"] > 0
    assert sum(row["tokens"] for row in rows) == summary["total_tokens"]["value"]
    assert sum(row["succeeded"] + row["failed"] for row in rows) == summary["total_requests"]["value"]
    names = {"project": counted.project["name"], "model": "Counted model", "api_key": "Counted key"}
    assert {row["name"] for row in rows} == ({names[by]} if by in names else {"counted-1", "counted-2"})
    if by != "api_key":
        assert sum(row["cost"] for row in rows) == pytest.approx(summary["total_cost"]["value"])


async def test_it_can_be_opened_in_a_spreadsheet(
    counted: Counted, client: httpx.AsyncClient, database: Database
) -> None:
    async with database.write() as session:
        await session.execute(text("update project set name = '=1+1'"))
    answer = await client.get("/metrics/usage/export", params=DAYS, headers=counted.person.headers)
    assert answer.headers["content-type"].startswith("text/csv")
    [head, *lines] = csv.reader(io.StringIO(answer.text))
    assert head[:4] == ["day", "id", "name", "requests"]
    assert {line[2] for line in lines} == {"'=1+1"}


async def test_nobody_sees_what_others_used(counted: Counted, cast: Cast) -> None:
    for person in (cast.tester, cast.other_admin, cast.client):
        counted.person = person
        assert (await counted.get("/metrics/usage", **DAYS))["rows"] == []
        await counted.get("/metrics/usage", 404, project_id=counted.project["id"], **DAYS)
    counted.person = cast.client
    await counted.get("/metrics/usage", 403, by="api_key", **DAYS)


@pytest.mark.parametrize("query", [{"by": "luck"}, {"from_day": "2026-11-08"}, {"from_day": "2026-01-01"}])
async def test_what_makes_no_sense_is_422(counted: Counted, query: dict[str, Any]) -> None:
    await counted.get("/metrics/usage", 422, **{**DAYS, **query})
