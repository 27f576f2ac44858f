"""Periodic work, run by one replica at a time."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import update

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


def job(runs: Runs, *, seconds: float = 0, every: timedelta = timedelta(hours=1), lease: float = 60) -> Job:
    async def run() -> None:
        runs.note("began")
        await asyncio.sleep(seconds)
        runs.note("ended")

    return Job("sweep", every, run, timedelta(seconds=lease))


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


async def test_what_a_dead_replica_was_at_is_taken_up_after_its_lease(database: Database, runs: Runs) -> None:
    async with database.write() as session:
        held = {"lock_token": uuid4(), "lock_expires_at": now() + LONG_AGO}
        session.add(JobSchedule(name="sweep", due_at=now() - LONG_AGO, **held))
    assert not await Jobs(database).run_if_due(job(runs))
    async with database.write() as session:
        await session.execute(update(JobSchedule).values(lock_expires_at=now() - LONG_AGO))
    assert await Jobs(database).run_if_due(job(runs))


async def test_what_a_stopping_replica_was_at_is_taken_up_at_once(database: Database, runs: Runs) -> None:
    jobs = Jobs(database)
    jobs.add(job(runs, seconds=30))
    await jobs.start()
    await runs.reach(1)
    await jobs.stop()
    assert await Jobs(database).run_if_due(job(runs))
    assert runs == ["began", "began", "ended"]


async def test_a_run_that_outlasts_its_lease_is_cut_off(database: Database, runs: Runs) -> None:
    assert await Jobs(database).run_if_due(job(runs, seconds=30, lease=0.1))
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
    jobs = Jobs(database)
    jobs.add(job(runs, every=timedelta(milliseconds=20)))
    await jobs.start()
    await runs.reach(6)
    await jobs.stop()
    count = len(runs)
    await asyncio.sleep(0.1)
    assert len(runs) == count
