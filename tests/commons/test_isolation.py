"""Loops over many owners' items: one that fails keeps none of the others back."""

import asyncio
from datetime import timedelta

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import select, update

from budapp.commons.database import Database, now
from budapp.commons.errors import Unavailable
from budapp.commons.isolation import MAX_TRIES, JobFailure, each_isolated, forget_failure, is_due
from budapp.tenant_ops.models import Tenant
from tests.cast import Cast

ITEMS = ("one", "poison\0\ud800", "three")


def figure(name: str) -> float:
    return REGISTRY.get_sample_value(f"budapp_job_{name}_total", {"job": "sweep"}) or 0


async def run(database: Database, error: Exception, **options: float) -> list[str]:
    """Return what was worked on; the item in the middle fails."""
    begun: list[str] = []

    async def work(item: str) -> None:
        begun.append(item)
        if item == ITEMS[1]:
            raise error

    await each_isolated(database, "sweep", ITEMS, work, key=ITEMS.index, **options)  # type: ignore[arg-type]
    return begun


async def failures(database: Database) -> list[JobFailure]:
    async with database.read() as session:
        return list(await session.scalars(select(JobFailure)))


async def make_due(database: Database) -> None:
    async with database.write() as session:
        await session.execute(update(JobFailure).values(next_attempt_at=now() - timedelta(seconds=1)))


async def test_the_others_are_done_and_the_reason_is_kept(database: Database) -> None:
    failed = figure("item_failures")
    assert await run(database, ValueError("no\0good \ud800")) == list(ITEMS)
    (failure,) = await failures(database)
    assert (failure.item, failure.attempts) == ("1", 1)
    assert "good" in failure.reason
    assert figure("item_failures") == failed + 1
    assert await run(database, ValueError()) == [ITEMS[0], ITEMS[2]], "it waits for its next try"


async def test_it_is_set_aside_after_a_few_tries(database: Database) -> None:
    set_aside = figure("items_set_aside")
    for _ in range(MAX_TRIES):
        await make_due(database)
        assert await run(database, ValueError()) == list(ITEMS)
    (failure,) = await failures(database)
    assert failure.next_attempt_at > now() + timedelta(hours=23)
    assert figure("items_set_aside") == set_aside + 1


async def test_that_something_is_down_sets_nothing_aside(database: Database) -> None:
    for _ in range(MAX_TRIES + 1):
        await make_due(database)
        await run(database, Unavailable())
    (failure,) = await failures(database)
    assert failure.next_attempt_at < now() + timedelta(minutes=6)


async def test_an_item_that_works_out_is_forgotten(database: Database) -> None:
    await run(database, ValueError())
    await make_due(database)

    async def succeed(_item: str) -> None:
        return

    await each_isolated(database, "sweep", ITEMS, succeed, key=ITEMS.index)
    assert await failures(database) == []


async def test_an_item_that_hangs_is_cut_off(database: Database) -> None:
    done: list[int] = []

    async def work(item: int) -> None:
        if item == 0:
            await asyncio.Event().wait()
        done.append(item)

    await each_isolated(database, "sweep", [0, 1], work, seconds=0.1)
    assert done == [1]
    assert "Timeout" in (await failures(database))[0].reason


async def test_an_error_that_all_would_meet_ends_the_loop(database: Database) -> None:
    async def work(_item: int) -> None:
        raise Unavailable

    with pytest.raises(ExceptionGroup):
        await each_isolated(database, "sweep", [1, 2], work, passing=(Unavailable,))
    assert await failures(database) == []


async def test_what_somebody_has_mended_is_tried_at_once(database: Database) -> None:
    await run(database, ValueError())
    async with database.write() as session:
        await forget_failure(session, "sweep", 1)
    assert await run(database, ValueError()) == list(ITEMS)


async def test_what_failed_in_another_job_waits_there_only(database: Database, cast: Cast) -> None:
    async with database.write() as session:
        later = now() + timedelta(hours=1)
        session.add(JobFailure(job="sweep", item=str(cast.tenant_id), reason="r", next_attempt_at=later))
    mine = Tenant.id == cast.tenant_id
    async with database.read() as session:
        for job, found in (("sweep", []), ("other", [cast.tenant_id])):
            assert (await session.scalars(select(Tenant.id).where(mine, is_due(job, Tenant.id)))).all() == found


async def test_failures_of_items_that_are_gone_are_forgotten_job_by_job(database: Database) -> None:
    async with database.write() as session:
        for job, days in (("sweep", 8), ("other", 8), ("sweep", 6)):
            at = now() - timedelta(days=days)
            session.add(JobFailure(job=job, item=f"gone {days}", reason="r", next_attempt_at=at))
    await run(database, ValueError())
    assert {(failure.job, failure.item) for failure in await failures(database)} == {
        ("other", "gone 8"),
        ("sweep", "gone 6"),
        ("sweep", "1"),
    }


@pytest.mark.parametrize("at_once", [1, 3])
async def test_no_more_items_are_worked_on_side_by_side_than_asked_for(database: Database, at_once: int) -> None:
    under_way: set[int] = set()
    most = 0

    async def work(item: int) -> None:
        nonlocal most
        under_way.add(item)
        most = max(most, len(under_way))
        await asyncio.sleep(0.01)
        under_way.remove(item)

    await each_isolated(database, "sweep", range(8), work, at_once=at_once)
    assert most == at_once
