"""Periodic work, run by one replica at a time."""

import asyncio
from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import select, update

from budapp.commons.database import Database, now
from budapp.commons.jobs import Job, Jobs, JobSchedule

LONG_AGO = timedelta(days=1)


class Runs(list[str]):
    """What a job's runs have come to."""

    def __init__(self) -> None:
        self.grew = asyncio.Event()

    def note(self, moment: str) -> None:
        self.append(moment)
        self.grew.set()

    async def reach(self, count: int) -> None:
        while len(self) < count:
            self.grew.clear()
            await self.grew.wait()


@pytest.fixture
def runs() -> Runs:
    return Runs()


def job(runs: Runs, *, seconds: float = 0, every: timedelta = timedelta(hours=1), limit: float = 60) -> Job:
    async def run() -> None:
        runs.note("began")
        await asyncio.sleep(seconds)
        runs.note("ended")

    return Job("sweep", every, run, timedelta(seconds=limit))


async def make_due(database: Database) -> None:
    async with database.write() as session:
        await session.execute(update(JobSchedule).values(due_at=now() - LONG_AGO))


async def test_a_job_runs_at_once_and_then_when_it_is_due_again(database: Database, runs: Runs) -> None:
    jobs, sweep = Jobs(database), job(runs)
    assert [await jobs.run_if_due(sweep) for _ in range(3)] == [True, False, False]
    await make_due(database)
    assert [await jobs.run_if_due(sweep) for _ in range(2)] == [True, False]
    assert len(runs) == 4


async def test_of_many_replicas_one_runs_a_due_job(database: Database, runs: Runs) -> None:
    sweep = job(runs, seconds=0.2)
    ran = await asyncio.gather(*(Jobs(database).run_if_due(sweep) for _ in range(10)))
    assert sum(ran) == 1
    assert runs == ["began", "ended"]


async def test_a_job_that_is_running_is_not_begun_again_though_it_is_due(database: Database, runs: Runs) -> None:
    sweep = job(runs, seconds=0.5)
    running = asyncio.create_task(Jobs(database).run_if_due(sweep))
    await runs.reach(1)
    await make_due(database)
    assert not await Jobs(database).run_if_due(sweep)
    assert await running


async def test_what_a_dead_replica_was_at_is_taken_up_when_its_claim_is_over(database: Database, runs: Runs) -> None:
    async with database.write() as session:
        held = {"lock_token": uuid4(), "lock_expires_at": now() + LONG_AGO}
        session.add(JobSchedule(name="sweep", due_at=now() - LONG_AGO, **held))
    assert not await Jobs(database).run_if_due(job(runs))
    async with database.write() as session:
        await session.execute(update(JobSchedule).values(lock_expires_at=now() - LONG_AGO))
    assert await Jobs(database).run_if_due(job(runs))


async def test_what_a_stopping_replica_was_at_is_taken_up_at_once(database: Database, runs: Runs) -> None:
    jobs = Jobs(database, [job(runs, seconds=30)])
    await jobs.start()
    await runs.reach(1)
    await jobs.stop()
    assert await Jobs(database).run_if_due(job(runs))
    assert runs == ["began", "began", "ended"]


async def test_a_claim_is_renewed_for_as_long_as_the_job_runs(database: Database, runs: Runs) -> None:
    sweep = job(runs, seconds=4)
    running = asyncio.create_task(Jobs(database, lease=timedelta(seconds=2)).run_if_due(sweep))
    await runs.reach(1)
    while not running.done():
        await make_due(database)
        assert not await Jobs(database).run_if_due(job(runs)) or running.done()
        await asyncio.sleep(0.05)
    assert runs[:2] == ["began", "ended"]


async def test_whoever_has_lost_the_claim_stops(database: Database, runs: Runs) -> None:
    jobs = Jobs(database, lease=timedelta(seconds=0.3))
    running = asyncio.create_task(jobs.run_if_due(job(runs, seconds=30)))
    await runs.reach(1)
    other = uuid4()
    async with database.write() as session:
        await session.execute(update(JobSchedule).values(lock_token=other))
    assert await asyncio.wait_for(running, 5)
    assert runs == ["began"]
    async with database.read() as session:
        assert await session.scalar(select(JobSchedule.lock_token)) == other


async def test_a_claim_ends_within_a_minute_however_long_the_job_may_take(database: Database) -> None:
    jobs = Jobs(database)
    held: list[datetime | None] = []

    async def look() -> None:
        async with database.read() as session:
            held.append(await session.scalar(select(JobSchedule.lock_expires_at)))

    await jobs.run_if_due(Job("long", timedelta(seconds=1), look, limit=timedelta(hours=1)))
    assert held[0] is not None
    assert held[0] <= now() + timedelta(minutes=1)


async def test_a_run_that_takes_longer_than_it_may_is_cut_off(database: Database, runs: Runs) -> None:
    assert await Jobs(database).run_if_due(job(runs, seconds=30, limit=0.1))
    assert runs == ["began"]


async def test_a_job_that_fails_is_counted_and_runs_again_when_due(database: Database) -> None:
    async def fail() -> None:
        raise ValueError

    def failed() -> float:
        return REGISTRY.get_sample_value("budapp_job_runs_total", {"job": "broken", "outcome": "failed"}) or 0

    jobs, broken, before = Jobs(database), Job("broken", timedelta(hours=1), fail), failed()
    assert await jobs.run_if_due(broken)
    await make_due(database)
    assert await jobs.run_if_due(broken)
    assert failed() == before + 2


async def test_started_jobs_repeat_until_they_are_stopped(database: Database, runs: Runs) -> None:
    jobs = Jobs(database, [job(runs, every=timedelta(milliseconds=20))])
    await jobs.start()
    await runs.reach(6)
    await jobs.stop()
    count = len(runs)
    await asyncio.sleep(0.1)
    assert len(runs) == count
