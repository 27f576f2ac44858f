"""One poison of each kind: a file that can't be read, events with what can't be stored, answers of another shape."""

import io
import json
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.work import Desk, Json, WentWrong, expect, new_name


def _broken_footer() -> bytes:
    written = io.BytesIO()
    pq.write_table(pa.table({"a": [1, 2, 3]}), written)
    good = written.getvalue()
    length = int.from_bytes(good[-8:-4], "little")
    return good[: -8 - length] + b"\xff" * length + good[-8:]


def _nested(depth: int) -> list[Any]:
    found: list[Any] = []
    for _ in range(depth):
        found = [found]
    return found


async def _file(desk: Desk, name: str, content: bytes) -> None:
    expect(await desk.upload(name, content), "refused", reason=True)


async def _event(desk: Desk, event: str, **content: Any) -> None:
    """Have a service that works for a workflow report this; the workflow fails with a reason."""
    name = new_name()
    await _told(desk, name, silent_from="1", times=1)
    workflow_id = await desk.draft(name)
    await desk.trigger(workflow_id)
    payload: Json = {"category": "internal", "type": "perform_model_extraction", "event": event, "source": "budmodel"}
    payload |= {"workflow_id": workflow_id, "content": content}
    body = {"name": "bud-internal", "id": uuid4().hex, "payload": payload}
    await desk.delivery.events.put(json.dumps(body).encode())
    expect(await desk.ended(workflow_id), "failed", reason=True)


async def _results(desk: Desk, **info: Any) -> None:
    result = {"local_path": f"soak-{uuid4().hex}", "model_info": {"modality": "llm", **info}}
    await _event(desk, "results", status="COMPLETED", result=result)


async def _unreadable_answer(desk: Desk) -> None:
    name = new_name()
    await _told(desk, name, status=200, answer={"steps": 7}, times=1)
    await desk.trigger(await desk.draft(name), 502)


async def _no_answer(desk: Desk) -> None:
    """Have the service hang; the list of steps is there all the same, nothing of it done."""
    name = new_name()
    await _told(desk, name, hang=True, times=1)
    workflow_id = await desk.draft(name)
    shown = await desk.trigger(workflow_id)
    if not shown["workflow_steps"]["model_extraction_events"]["steps"]:
        raise WentWrong("No list of steps")
    (await desk.http.delete(f"/workflows/{workflow_id}")).raise_for_status()


async def _told(desk: Desk, name: str, **fault: Any) -> None:
    (await desk.control.post("/control/faults", json={"contains": name, **fault})).raise_for_status()


POISONS: dict[str, Callable[[Desk], Awaitable[None]]] = {
    "a Parquet file with a broken footer": partial(_file, name="data.parquet", content=_broken_footer()),
    "a NUL in the key of a JSONL file": partial(_file, name="data.jsonl", content=b'{"a\\u0000b": 1}\n'),
    "results with a NUL": partial(_results, description="card\0text"),
    "results with a number of 64 bits": partial(_results, architecture={"num_params": 1 << 63}),
    "results nested 900 times": partial(_results, tree=_nested(900)),
    "a failure told with a lone surrogate": partial(_event, event="validation", status="FAILED", message="\ud800"),
    "an answer of another shape": _unreadable_answer,
    "no answer": _no_answer,
}
