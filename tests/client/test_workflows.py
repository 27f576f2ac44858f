"""Waiting for what another service works on."""

import asyncio
from collections.abc import Iterator
from uuid import uuid4

import pytest

from budapp_client import Budapp, BudappError, Progress, WorkflowEnded, wait_for
from tests.peers.conftest import environment, stand_in
from tests.workflows.conftest import Bench, bench
from tests.workflows.test_local_model import STEPS

__all__ = ["bench", "environment", "stand_in"]


@pytest.fixture
def developer(address: str, bench: Bench) -> Iterator[Budapp]:
    """The connection of whoever the workflow belongs to."""
    with Budapp.with_key(address, bench.person.tokens["access_token"]) as connection:
        yield connection


async def test_a_workflow_that_completes(bench: Bench, developer: Budapp) -> None:
    workflow_id = await bench.draft()
    await bench.trigger(workflow_id)
    seen: list[Progress] = []
    waiting = asyncio.create_task(asyncio.to_thread(wait_for, developer, workflow_id, seen.append, 20))
    await bench.until(workflow_id, "completed")
    done = await waiting
    assert done.status == "completed"
    assert done.workflow_steps.model_id
    assert seen[-1].steps[0].title == "Validating the model URI"
    assert [step.status for step in seen[-1].steps] == ["COMPLETED"] * len(STEPS)
    assert not seen[0].is_over
    assert seen[0].eta_minutes is not None


async def test_a_workflow_that_fails_says_why(bench: Bench, developer: Budapp) -> None:
    name = f"Broken-{uuid4().hex[:8]}"
    workflow_id = await bench.draft(name)
    await bench.peer.does_wrong(workflow_id, fail_at="model_download", times=1)
    await bench.trigger(workflow_id)
    waiting = asyncio.create_task(asyncio.to_thread(wait_for, developer, workflow_id, None, 20))
    found = await bench.until(workflow_id, "failed")
    with pytest.raises(WorkflowEnded) as ended:
        await waiting
    assert (ended.value.status, ended.value.reason) == ("failed", found["reason"])
    assert str(ended.value) == f"The workflow failed: {found['reason']}"


async def test_nobody_waits_for_ever(bench: Bench, developer: Budapp) -> None:
    workflow_id = await bench.draft()
    with pytest.raises(BudappError, match=r"still in progress after 0\.5 s"):
        await asyncio.to_thread(wait_for, developer, workflow_id, None, 0.5)
