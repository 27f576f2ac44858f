from typing import Any
from uuid import UUID, uuid4, uuid5

from sqlalchemy import update
from uuid_utils.compat import uuid7

from budapp.commons.database import now
from budapp.prompt_ops.drafts import LIFE
from budapp.prompt_ops.models import Prompt, PromptDraft, PromptVersion
from tests.stack import address_of, http_client
from tests.surface.share import Audited, RequestContext, SeedContext, Share, Things, Valid
from tests.workflows.surface import add_draft, own_drafts

TRACES = UUID("b6f0a9e4-1d52-4b0e-8f57-3a0a5d2c7e11")
TAGS = [{"name": "support", "color": "#112233"}]
PERIOD = {"from_date": "2026-11-01T00:00:00Z", "to_date": "2026-11-08T00:00:00Z"}
SAYS = {"system_prompt": "You help", "messages": []}


async def _seed(context: SeedContext) -> Things:
    """Put in a prompt with two versions, and a draft of the owner's; budprompt knows them once it is asked."""
    endpoint_id = context.id_of("endpoint_id")
    called = f"bot-{uuid4()}"
    prompt = Prompt(
        id=uuid7(),
        name=called,
        bud_prompt_id=called,
        tags=TAGS,
        project_id=context.id_of("busy_project_id"),
        status="active",
        **context.owned,
    )
    await context.add(prompt)
    about = {"prompt_id": prompt.id, "endpoint_id": endpoint_id, "model_id": context.id_of("deployed_model_id")}
    versions = [
        PromptVersion(id=uuid7(), version=number, status="active", **about, **context.owned) for number in (1, 2)
    ]
    draft = PromptDraft(id=uuid7(), bud_prompt_id=str(uuid7()), version=1, expires_at=now() + LIFE, **context.owned)
    await context.add(*versions, draft)
    prompt.default_version_id = versions[0].id
    await context.session.flush()
    return {
        "prompt_id": str(prompt.id),
        "prompt_name": called,
        "version_id": str(versions[1].id),
        "draft_prompt": draft.bud_prompt_id,
        "trace": uuid5(TRACES, f"{called} {context.things['busy_project_id']} 0").hex,
        "schema_workflow_id": str((await add_draft(context, "prompt_schema_creation", {})).id),
        "prompt_workflow_id": str((await add_draft(context, "prompt_creation", {})).id),
    }


async def known(context: RequestContext) -> None:
    """Have budprompt know what both tenants have."""
    async with http_client(f"{address_of('budprompt')}/v1/prompt") as http:
        for things in (context.scene.here, context.scene.there):
            for name, numbers in ((things["prompt_name"], (1, 2)), (things["draft_prompt"], (1,))):
                for number in numbers:
                    body = {"prompt_id": name, "version": number, "permanent": True, **SAYS}
                    answer = await http.post("/prompt-config", json=body)
                    assert answer.status_code == 200, answer.text


async def with_draft(context: RequestContext) -> None:
    """Have whoever calls own the draft."""
    await known(context)
    if context.person is None:
        return
    async with context.database.write() as session:
        called = PromptDraft.bud_prompt_id == context.things["draft_prompt"]
        mine = PromptDraft.tenant_id == context.person.tenant_id
        await session.execute(update(PromptDraft).where(called, mine).values(created_by=context.person.id))


_AT = "/prompts"
_ONE, _VERSION = f"{_AT}/{{prompt_id}}", f"{_AT}/{{prompt_id}}/versions/{{version_id}}"
_READ = Valid(prepare=known)


def _version(t: Things) -> dict[str, Any]:
    return {"endpoint_id": t["endpoint_id"], "bud_prompt_id": t["draft_prompt"], "set_as_default": False}


share = Share(
    "prompt_ops",
    seed=_seed,
    requests={
        f"GET {_AT}/tags/search": Valid(query=lambda t: {"search_term": "sup"}),
        f"POST {_AT}/prompt-workflow": Valid(
            lambda t: {"step_number": 1, "workflow_id": t["prompt_workflow_id"], "project_id": t["project_id"]},
            prepare=own_drafts,
        ),
        f"POST {_AT}/prompt-schema": Valid(
            lambda t: {"step_number": 1, "workflow_id": t["schema_workflow_id"], "type": "input"}, prepare=own_drafts
        ),
        f"POST {_AT}/prompt-config": Valid(lambda t: {"system_prompt": "You help"}),
        f"GET {_AT}/prompt-config/{{prompt_name}}": _READ,
        f"GET {_AT}/{{prompt_name}}/traces": Valid(query=lambda t: {"project_id": t["busy_project_id"], **PERIOD}),
        f"GET {_AT}/{{prompt_name}}/traces/{{trace}}": Valid(query=lambda t: {"project_id": t["busy_project_id"]}),
        f"POST {_AT}/telemetry/query": Valid(
            lambda t: {"prompt_id": t["prompt_name"], "from_date": PERIOD["from_date"]}
        ),
        f"POST {_AT}/prompt-cleanup": Valid(lambda t: {"prompts": [{"prompt_id": t["draft_prompt"]}]}),
        f"PATCH {_ONE}": Valid(lambda t: {"description": "Helps"}),
        f"POST {_ONE}/versions": Valid(_version, prepare=with_draft),
        f"GET {_ONE}/versions/compare": Valid(query=lambda t: {"from": 1, "to": 2}, prepare=known),
        f"GET {_VERSION}": _READ,
        f"PATCH {_VERSION}": Valid(lambda t: {"set_as_default": True}, prepare=known),
    },
    audited={
        f"POST {_AT}/prompt-workflow": Audited(
            "create",
            "workflow",
            Valid(lambda t: {"step_number": 1, "workflow_total_steps": 5, "project_id": t["project_id"]}),
        ),
        f"POST {_AT}/prompt-schema": Audited(
            "create",
            "workflow",
            Valid(lambda t: {"step_number": 1, "workflow_total_steps": 0, "type": "input"}),
        ),
        f"PATCH {_ONE}": Audited("update", "config"),
        f"DELETE {_ONE}": Audited("update", "config"),
        f"POST {_ONE}/versions": Audited("create", "config"),
        f"PATCH {_VERSION}": Audited("update", "config"),
        f"DELETE {_VERSION}": Audited("update", "config"),
    },
    changes_nothing={
        f"POST {_AT}/telemetry/query": "only looks",
        f"POST {_AT}/prompt-config": "somebody's own draft; what becomes of it leaves entries",
        f"POST {_AT}/prompt-cleanup": "deletes somebody's own drafts, which leave no entries",
    },
)
