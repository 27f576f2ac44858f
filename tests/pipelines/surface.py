from typing import Any

import httpx
from uuid_utils.compat import uuid7

from budapp.pipeline_ops.models import PartKind, Pipeline, PipelinePart
from tests.stack import address_of, http_client
from tests.surface.share import Audited, RequestContext, SeedContext, Share, Things, Valid

DAG: dict[str, Any] = {
    "name": "Morning",
    "steps": [{"id": "greet", "action": "log", "params": {"message": "Hello"}, "depends_on": []}],
}
WHEN = {"type": "cron", "expression": "0 3 * * *", "timezone": "UTC"}
_PARTS = {
    "execution_id": PartKind.EXECUTION,
    "schedule_id": PartKind.SCHEDULE,
    "pipeline_webhook_id": PartKind.WEBHOOK,
    "trigger_id": PartKind.EVENT_TRIGGER,
}
_KINDS = {"schedule_id": "schedules", "pipeline_webhook_id": "webhooks", "trigger_id": "event-triggers"}


async def _seed(context: SeedContext) -> Things:
    """Put in whose a pipeline is, and what belongs to it."""
    pipeline = Pipeline(id=uuid7(), name="Morning", **context.owned)
    parts = {
        thing: PipelinePart(id=uuid7(), kind=kind, name="Morning", pipeline_id=pipeline.id, **context.owned)
        for thing, kind in _PARTS.items()
    }
    await context.add(pipeline, *parts.values())
    return {
        "pipeline_id": str(pipeline.id),
        "pipeline_owner": str(context.owner.id),
        "action_type": "log",
        **{thing: str(part.id) for thing, part in parts.items()},
    }


async def known(context: RequestContext) -> None:
    """Have budpipeline know the pipelines of both tenants, and what belongs to them."""
    async with http_client(address_of("budpipeline")) as http:
        for things in (context.scene.here, context.scene.there):
            pipeline_id = things["pipeline_id"]
            of = {"id": pipeline_id, "user_id": things["pipeline_owner"], "name": "Morning"}
            await _put(http, "pipelines", {**of, "dag": DAG})
            await _put(http, "executions", {"id": things["execution_id"], "pipeline_id": pipeline_id})
            for thing, kind in _KINDS.items():
                await _put(http, "triggers", {"kind": kind, "id": things[thing], "workflow_id": pipeline_id})


async def _put(http: httpx.AsyncClient, what: str, body: dict[str, Any]) -> None:
    answer = await http.put(f"/control/{what}", json=body)
    assert answer.status_code == 200, answer.text


def _of(thing: str, **more: Any) -> Valid:
    return Valid(lambda t: {"workflow_id": t[thing], "name": "Nightly", **more}, prepare=known)


_AT = "/budpipeline"
_ONE, _SCHEDULE = f"{_AT}/{{pipeline_id}}", f"{_AT}/schedules/{{schedule_id}}"
_READ = Valid(prepare=known)
_HOOK = Valid(path={"webhook_id": "pipeline_webhook_id"}, prepare=known)
_LOOKS = "only looks"

share = Share(
    "pipeline_ops",
    seed=_seed,
    requests={
        f"GET {_AT}": _READ,
        f"POST {_AT}": Valid(lambda t: {"dag": DAG, "name": "Evening"}),
        f"POST {_AT}/validate": Valid(lambda t: {"dag": DAG}),
        f"POST {_AT}/run": Valid(lambda t: {"pipeline_definition": DAG}),
        f"POST {_AT}/actions/validate": Valid(lambda t: {"action_type": "log", "params": {"message": "Hello"}}),
        f"GET {_AT}/executions": Valid(query=lambda t: {"workflow_id": t["pipeline_id"]}, prepare=known),
        f"GET {_AT}/executions/{{execution_id}}": _READ,
        f"GET {_AT}/executions/{{execution_id}}/progress": _READ,
        **{f"GET {_AT}/{kind}": _READ for kind in _KINDS.values()},
        f"POST {_AT}/schedules": _of("pipeline_id", schedule=WHEN),
        f"POST {_AT}/webhooks": _of("pipeline_id"),
        f"POST {_AT}/event-triggers": _of("pipeline_id", event_type="model_added"),
        f"GET {_SCHEDULE}": _READ,
        f"PUT {_SCHEDULE}": Valid(lambda t: {"name": "Daily"}, prepare=known),
        **{f"POST {_SCHEDULE}/{what}": _READ for what in ("pause", "resume", "trigger")},
        f"DELETE {_SCHEDULE}": _READ,
        f"POST {_AT}/webhooks/{{webhook_id}}/rotate-secret": _HOOK,
        f"DELETE {_AT}/webhooks/{{webhook_id}}": _HOOK,
        f"DELETE {_AT}/event-triggers/{{trigger_id}}": _READ,
        f"GET {_ONE}": _READ,
        f"PUT {_ONE}": Valid(lambda t: {"name": "Dawn"}, prepare=known),
        f"DELETE {_ONE}": _READ,
        f"POST {_ONE}/execute": Valid(lambda t: {"params": {}}, prepare=known),
    },
    audited={
        f"POST {_AT}": Audited("create", "workflow"),
        f"PUT {_ONE}": Audited("update", "workflow"),
        f"DELETE {_ONE}": Audited("delete", "workflow"),
        f"POST {_AT}/run": Audited("workflow_started", "job"),
        f"POST {_ONE}/execute": Audited("workflow_started", "job"),
        f"POST {_SCHEDULE}/trigger": Audited("workflow_started", "job"),
        **{f"POST {_AT}/{kind}": Audited("create", "task") for kind in _KINDS.values()},
        f"DELETE {_SCHEDULE}": Audited("delete", "task"),
        f"DELETE {_AT}/webhooks/{{webhook_id}}": Audited("delete", "task"),
        f"DELETE {_AT}/event-triggers/{{trigger_id}}": Audited("delete", "task"),
        f"PUT {_SCHEDULE}": Audited("update", "task"),
        f"POST {_SCHEDULE}/pause": Audited("update", "task"),
        f"POST {_SCHEDULE}/resume": Audited("update", "task"),
        f"POST {_AT}/webhooks/{{webhook_id}}/rotate-secret": Audited("update", "task"),
    },
    changes_nothing={f"POST {_AT}/validate": _LOOKS, f"POST {_AT}/actions/validate": _LOOKS},
)
