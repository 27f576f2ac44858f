"""Whatever people, the service, crashes and time do to a workflow, in any order: it is always in a legal state."""

import asyncio
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.workflows.conftest import LOCAL, Bench

TYPE = "perform_model_extraction"
LEGAL = {
    "in_progress": {"in_progress", "completed", "failed", "cancelled"},
    "failed": {"failed", "in_progress"},
    "completed": {"completed"},
    "cancelled": {"cancelled"},
}
RANKS = {None: 0, "STARTED": 1, "COMPLETED": 2, "FAILED": 2}

WORK = ("validation", "model_download", "model_extraction", "save_model")

steps = st.sampled_from([*WORK, "eta", "results"])
events = st.tuples(st.just("event"), steps, st.sampled_from(["STARTED", "COMPLETED", "COMPLETED", "FAILED"]))
old_events = st.tuples(st.just("old_event"), steps, st.sampled_from(["COMPLETED", "FAILED"]))
late = st.tuples(st.just("late"), st.sampled_from(WORK), st.just(""))
alone = ["trigger", "retry", "cancel", "complete", "refuse", "deadline", "crash", "reconcile", "repost"]
at_once = ["together", "crowd", "results_and_cancel"]
simple = st.sampled_from(alone + at_once).map(lambda name: (name, "", ""))
actions = st.lists(st.one_of(simple, late, events, old_events), max_size=12).map(
    lambda rest: [("trigger", "", ""), *rest]
)


@dataclass
class Life:
    """One workflow, and what must hold of it."""

    bench: Bench
    workflow_id: str
    name: str
    status: str = "in_progress"
    ticks: dict[tuple[str, str], int] = field(default_factory=dict)

    async def attempts(self) -> list[Any]:
        return await self.bench.sql(
            "select cast(correlation_id as text), state from workflow_attempt"
            " where workflow_id = cast(:id as uuid) order by number",
            id=self.workflow_id,
        )

    async def post(self, path: str, **body: Any) -> None:
        answer = await self.bench.http.post(path, json=body, headers=self.bench.person.headers)
        assert answer.status_code in (200, 400, 502), answer.text

    async def act(self, action: tuple[str, str, str]) -> None:
        name, step, status = action
        if name in ("event", "old_event"):
            await self.event(step, status, 0 if name == "old_event" else -1)
        elif name == "late":
            await self.late(step)
        else:
            await getattr(self, name)()

    async def trigger(self) -> None:
        await self.post(LOCAL, step_number=3, workflow_id=self.workflow_id, trigger_workflow=True)

    async def repost(self) -> None:
        await self.post(LOCAL, step_number=2, workflow_id=self.workflow_id, author="somebody")

    async def together(self) -> None:
        retries = [self.post(f"/workflows/{self.workflow_id}/retry") for _ in range(2)]
        await asyncio.gather(self.trigger(), self.trigger(), *retries)

    async def retry(self) -> None:
        await self.post(f"/workflows/{self.workflow_id}/retry")

    async def cancel(self) -> None:
        await self.bench.http.delete(f"/workflows/{self.workflow_id}", headers=self.bench.person.headers)

    async def complete(self) -> None:
        await self.bench.http.patch(f"/workflows/{self.workflow_id}", headers=self.bench.person.headers)

    async def refuse(self) -> None:
        await self.bench.peer.does_wrong(self.name, status=500, times=1)
        await self.trigger()

    async def deadline(self) -> None:
        await self.bench.sql("update workflow_attempt set deadline_at = now() - interval '1 second'")
        await self.bench.reconcile()

    async def crash(self) -> None:
        """Leave what a process leaves that dies before it has stored the answer."""
        await self.bench.sql(
            "update workflow_attempt set state = 'asking', lease_expires_at = now() - interval '1 second'"
            " where state = 'running' and workflow_id = cast(:id as uuid)",
            id=self.workflow_id,
        )

    async def reconcile(self) -> None:
        await asyncio.gather(self.bench.reconcile(), self.bench.reconcile())

    async def event(self, step: str, status: str, which: int) -> None:
        correlation_id = (await self.attempts())[which][0]
        result = {"model_info": {"tags": ["x"]}, "local_path": f"{self.name}-files"} if step == "results" else None
        message = "3" if step == "eta" else "because"
        content = {"title": step, "message": message, "status": status, "result": result}
        payload = {"category": "internal", "type": TYPE, "event": step, "source": "budmodel", "content": content}
        await self.bench.deliver(
            {"id": uuid4().hex, "name": "bud-internal", "payload": {**payload, "workflow_id": correlation_id}}
        )

    async def late(self, step: str) -> None:
        """Bring that a step has begun after it has ended."""
        for status in ("COMPLETED", "STARTED"):
            await self.event(step, status, -1)

    async def crowd(self) -> None:
        """Bring all events at once, the results twice; those of the steps are all shown if the work is under way."""
        correlation_id, state = (await self.attempts())[-1]
        everything = [*WORK, "results", "results"]
        await asyncio.gather(*(self.event(step, "COMPLETED", -1) for step in everything))
        if state == "running":
            self.ticks.update({(correlation_id, step): RANKS["COMPLETED"] for step in WORK})

    async def results_and_cancel(self) -> None:
        await asyncio.gather(self.event("results", "COMPLETED", -1), self.cancel())

    async def check(self) -> None:
        now = await self.bench.get(self.workflow_id)
        assert now["status"] in LEGAL[self.status], (self.status, now["status"])
        self.status = now["status"]
        attempts = await self.attempts()
        live = [state for _, state in attempts if state in ("asking", "running")]
        assert len(live) <= (1 if self.status == "in_progress" else 0)
        for correlation_id, _ in attempts:
            assert await self.bench.asked(f'"{correlation_id}"') <= 1
        assert self.status != "failed" or now["reason"]
        models = await self.bench.sql("select count(*) from model where name = :name", name=self.name)
        completed = [state for _, state in attempts if state == "completed"]
        assert models[0][0] == len(completed) <= 1
        assert not completed or self.status == "completed"
        self.check_ticks(now["workflow_steps"]["model_extraction_events"])

    def check_ticks(self, found: dict[str, Any] | None) -> None:
        """No step of an attempt ever goes back."""
        for step in found["steps"] if found else ():
            key = (found["workflow_id"] if found else "", step["id"])
            rank = RANKS[(step["payload"].get("content") or {}).get("status")]
            assert rank >= self.ticks.get(key, 0)
            self.ticks[key] = rank


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(wanted=actions)
@example([("trigger", "", ""), ("crowd", "", "")])
@example([("trigger", "", ""), ("results_and_cancel", "", "")])
@example([("trigger", "", ""), ("late", "validation", "")])
async def test_any_order_of_anything_ends_well(bench: Bench, wanted: list[tuple[str, str, str]]) -> None:
    name = f"Order-{uuid4().hex[:10]}"
    await bench.peer.behave()
    await bench.peer.does_wrong(name, silent_from="1")
    life = Life(bench, await bench.draft(name), name)
    for action in wanted:
        await life.act(action)
        await life.check()
    await life.deadline()
    await bench.sql("update workflow_attempt set lease_expires_at = now() - interval '1 second' where state = 'asking'")
    await bench.reconcile()
    await life.deadline()  # of what was found to go on although its answer was lost
    await life.check()
    assert not [state for _, state in await life.attempts() if state in ("asking", "running")]
