"""`python -m benchmarks.notifications`: events about 500 open workflows, 1,000 a second, each of them sent twice.

budapp runs as in production, in one process of its own, and what it was told is checked afterwards in the database: no
event lost, none applied twice. The stack must be up.
"""

import asyncio
import json
import random
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
from uuid_utils.compat import uuid7

from benchmarks.ground import dsn, in_process_settings, prepared
from benchmarks.servers import budapp_running, free_port
from budapp.commons.config import Settings

WORKFLOWS = 500
RATE = 1000
CONNECTIONS = 64
STEPS = ("validation", "model_download", "model_extraction", "save_model")
EVENTS = 2 * len(STEPS) + 1
"""Of each workflow: every step begins and ends, and there are results."""

_WORKFLOW = """
insert into workflow (id, tenant_id, created_by, workflow_type, status, visibility, title, progress, current_step,
                      total_steps, created_at, modified_at)
values ($1, $2, $3, 'local_model_onboarding', 'in_progress', 'public', 'Model', '{}', 4, 5, now(), now())
"""
_STEP = """
insert into workflow_step (id, tenant_id, workflow_id, step_number, data, created_at, modified_at)
values (gen_random_uuid(), $1, $2, $3, $4, now(), now())
"""
_ATTEMPT = """
insert into workflow_attempt (id, tenant_id, workflow_id, number, task, state, correlation_id, step_number,
                              early_events, lease_expires_at, deadline_at, created_at, modified_at)
values (gen_random_uuid(), $1, $2, 1, 'main', 'running', $2, 4, '[]', now(), now() + interval '1 day', now(), now())
"""


@dataclass
class Outcome:
    """What came of the requests: milliseconds of each, and how many were not answered with success and sent again."""

    milliseconds: list[float] = field(default_factory=list)
    again: int = 0
    seconds: float = 0


async def main() -> None:
    """Print throughput and latency, and what the database says."""
    settings = in_process_settings().model_copy(update={"app_port": free_port()})
    async with prepared(settings, (1,)):
        connection = await asyncpg.connect(dsn(settings))
        bodies = events(await open_workflows(connection, WORKFLOWS))
        with tempfile.TemporaryDirectory() as folder, budapp_running(settings, Path(folder)):
            for rate in (None, RATE):
                outcome = await _send(settings, bodies, rate)
                _report(outcome, len(bodies), rate)
                await _check(connection, outcome, bodies)
                bodies = events(await open_workflows(connection, WORKFLOWS))
        await connection.close()


def events(workflows: list[tuple[str, str]]) -> list[bytes]:
    """Return the events of all workflows, each twice, neighbours out of order: the last word of each comes last."""
    told = []
    for workflow_id, name in workflows:
        mine = [_event(workflow_id, step, status) for step in STEPS for status in ("STARTED", "COMPLETED")]
        last = _event(workflow_id, "results", "COMPLETED", _result(workflow_id, name))
        for position, event in enumerate([*mine, last]):
            told += [(position + random.random() * 3, event), (position + random.random() * 3, event)]
    return [event for _, event in sorted(told, key=lambda one: one[0])]


def _event(workflow_id: str, event: str, status: str, result: Any = None) -> bytes:
    content = {"title": event, "message": status, "status": status, "result": result}
    payload: dict[str, Any] = {
        "category": "internal",
        "type": "perform_model_extraction",
        "event": event,
        "source": "budmodel",
    }
    payload |= {"workflow_id": workflow_id, "content": content}
    envelope = {"id": str(uuid7()), "source": "budmodel", "name": "bud-internal", "payload": payload}
    return json.dumps(envelope).encode()


def _result(workflow_id: str, name: str) -> dict[str, Any]:
    return {"workflow_id": workflow_id, "model_info": {"modality": "llm", "description": name}, "local_path": name}


async def open_workflows(connection: asyncpg.Connection, count: int) -> list[tuple[str, str]]:
    """Make workflows of somebody's that wait for a service's events; return the id and the model's name of each."""
    tenant_id, user_id = await connection.fetchrow('select tenant_id, id from "user" limit 1')
    found = []
    for _ in range(count):
        workflow_id, name = uuid7(), f"model {uuid7()}"
        said = {"provider_type": "disk", "name": name, "uri": f"/models/{name}", "tags": []}
        steps = [{"id": step, "title": step, "description": "", "payload": {}} for step in STEPS]
        shown = {"model_extraction_events": {"workflow_id": str(workflow_id), "steps": steps, "eta": 4}}
        await connection.execute(_WORKFLOW, workflow_id, tenant_id, user_id)
        await connection.execute(_STEP, tenant_id, workflow_id, 1, json.dumps(said))
        await connection.execute(_STEP, tenant_id, workflow_id, 4, json.dumps(shown))
        await connection.execute(_ATTEMPT, tenant_id, workflow_id)
        found.append((str(workflow_id), name))
    await connection.execute("vacuum (analyze)")
    return found


async def _send(settings: Settings, bodies: list[bytes], rate: int | None) -> Outcome:
    """Send the events at the rate, or as fast as they are answered."""
    outcome, waiting, started = Outcome(), iter(enumerate(bodies)), time.perf_counter()

    async def work() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", settings.app_port)
        for number, body in waiting:
            due = started + number / rate if rate else time.perf_counter()
            await asyncio.sleep(max(0, due - time.perf_counter()))
            while await _post(reader, writer, settings, body) != 200:
                outcome.again += 1
            outcome.milliseconds.append((time.perf_counter() - due) * 1000)
        writer.close()

    await asyncio.gather(*(work() for _ in range(CONNECTIONS)))
    outcome.seconds = time.perf_counter() - started
    return outcome


async def _post(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, settings: Settings, body: bytes) -> int:
    """Post one event over a connection that stays open, with as little of our own as can be; return the status."""
    head = (
        "POST /notifications HTTP/1.1\r\nHost: budapp\r\nContent-Type: application/json\r\n"
        f"dapr-api-token: {settings.app_api_token.get_secret_value()}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    writer.write(head.encode() + body)
    answer = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    await reader.readexactly(int(answer.partition("content-length: ")[2].partition("\r\n")[0]))
    return int(answer.split(" ", 2)[1])


def _report(outcome: Outcome, count: int, rate: int | None) -> None:
    found = sorted(outcome.milliseconds)
    p50, p99 = statistics.median(found), found[int(len(found) * 0.99)]
    offered = f"{rate}/s offered" if rate else f"as fast as answered, over {CONNECTIONS} connections"
    print(f"{count} events, {offered}: {count / outcome.seconds:.0f}/s, p50 {p50:.1f} ms, p99 {p99:.1f} ms")


async def _check(connection: asyncpg.Connection, outcome: Outcome, bodies: list[bytes]) -> None:
    """Compare what the database says with what was told, then clear it.

    Raises:
        SystemExit: an event was lost, or applied twice.
    """
    wrong = False
    for name, (is_there, expected) in (await came_of(connection, bodies)).items():
        wrong |= is_there != expected
        print(f"    {name}: {is_there} of {expected}")
    print(f"    sent again: {outcome.again}")
    await clear(connection)
    if wrong:
        sys.exit("An event was lost, or applied twice")


async def came_of(connection: asyncpg.Connection, bodies: list[bytes]) -> dict[str, tuple[int, int]]:
    """Return what has come of all events of some workflows: what is counted → how many there are, and should be."""
    ids = list({json.loads(body)["id"] for body in bodies})
    workflows = len(ids) // EVENTS
    open_steps = """
        select count(*) from workflow_step s, jsonb_array_elements(s.data->'model_extraction_events'->'steps') step
        where s.step_number = 4 and step->'payload'->'content'->>'status' is distinct from 'COMPLETED'
    """
    expected = {
        "workflows completed": ("select count(*) from workflow where status = 'completed'", workflows),
        "models": ("select count(*) from model where uri like '/models/model %'", workflows),
        "attempts completed": ("select count(*) from workflow_attempt where state = 'completed'", workflows),
        "steps not ticked": (open_steps, 0),
    }
    found = {name: (await connection.fetchval(statement), count) for name, (statement, count) in expected.items()}
    recorded = await connection.fetchval("select count(*) from inbox_message where message_id = any($1)", ids)
    return {**found, "events recorded": (recorded, len(ids))}


async def clear(connection: asyncpg.Connection) -> None:
    """Forget the workflows and all that has come of them."""
    await connection.execute("truncate workflow, model, outbox_message, inbox_message cascade")


if __name__ == "__main__":
    asyncio.run(main())
