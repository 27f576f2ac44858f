"""How a prompt is made of a draft, and how a schema comes into one: budprompt does it."""

from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from budapp.commons.access import Caller
from budapp.commons.database import ReadSession, WriteSession, now
from budapp.commons.errors import BadRequest, Conflict, NotFound
from budapp.commons.hooks import hooks_of
from budapp.commons.integrity import conflict_on
from budapp.commons.scopes import Scope
from budapp.deployment_ops import services as deployments
from budapp.endpoint_ops.access import reach_endpoint
from budapp.endpoint_ops.services import endpoint_named
from budapp.events.outbox import enqueue_call
from budapp.integrations import budprompt as peer
from budapp.integrations.peers import Json, PeerCall
from budapp.prompt_ops import crud, hooks
from budapp.prompt_ops.drafts import LIFE, claim, discard, own_draft, tell_gateway
from budapp.prompt_ops.models import Prompt, PromptStatus, PromptVersion
from budapp.prompt_ops.schemas import PromptPost, PromptSchemaPost
from budapp.prompt_ops.services import MANAGING
from budapp.prompt_ops.step_views import PromptSteps
from budapp.prompt_ops.versions import endpoint_for
from budapp.workflow_ops.definitions import Definition, Events, Outcome, Run, Task
from budapp.workflow_ops.step_views import StepObjects

_NEEDS = ("name", "project_id", "endpoint_id", "concurrency", "model_id", "bud_prompt_id")
_TAKEN = Conflict("A prompt with this name already exists; choose another name", param="name")
_SAID = ("description", "tags", "concurrency", "rate_limit_value")
_SWITCHES = ("auto_scale", "caching", "rate_limit")


async def _check(session: WriteSession, caller: Caller, run: Run) -> None:
    data = run.data
    if data.get("project_id"):
        await MANAGING.check(session, caller, UUID(data["project_id"]))
    if data.get("endpoint_id"):
        await reach_endpoint(session, caller, UUID(data["endpoint_id"]))
        if not data.get("project_id"):
            raise BadRequest("Name the project first", param="project_id")
        endpoint = await endpoint_for(session, caller, UUID(data["project_id"]), UUID(data["endpoint_id"]))
        run.keep(model_id=str(endpoint.model_id), cluster_id=_text(endpoint.bud_cluster_id))
    if data.get("bud_prompt_id"):
        await own_draft(session, caller, data["bud_prompt_id"])
    if data.get("name"):
        run.workflow.title = data["name"]
        if not data.get("reserved_prompt_id") and await crud.has_name(session, caller.tenant_id, data["name"]):
            raise _TAKEN
    if run.triggered and all(run.data.get(name) for name in _NEEDS):
        draft = await own_draft(session, caller, data["bud_prompt_id"])
        prompt = await _reserve(session, run)
        run.keep(reserved_prompt_id=str(prompt.id), called=prompt.bud_prompt_id, draft_version=draft.version)
        await _discard(session, caller, run)


def _text(value: object) -> str | None:
    return str(value) if value is not None else None


async def _discard(session: WriteSession, caller: Caller, run: Run) -> None:
    """Delete the drafts that are given up, but for the one that the prompt is made of."""
    named = [one["prompt_id"] for one in run.data.get("discarded_prompt_ids") or []]
    await discard(session, caller, [one for one in named if one != run.data["bud_prompt_id"]])


async def _reserve(session: WriteSession, run: Run) -> Prompt:
    """Take the name, and what budprompt is going to call the prompt, before budprompt writes there.

    budprompt knows no tenants: where another one has a prompt of this name, this one is called by a name of its own.
    """
    data, workflow = run.data, run.workflow
    if data.get("reserved_prompt_id"):
        known = await crud.lock(session, workflow.tenant_id, UUID(data["reserved_prompt_id"]))
        if known is not None and known.status == PromptStatus.PENDING and known.name == data["name"]:
            return known
        if known is not None and known.status == PromptStatus.PENDING:
            known.status = PromptStatus.DELETED
            await session.flush()
    prompt_id = uuid7()
    called = data["name"] if not await crud.is_taken(session, data["name"]) else f"{data['name']}-{prompt_id.hex[-12:]}"
    prompt = Prompt(
        id=prompt_id,
        tenant_id=workflow.tenant_id,
        created_by=workflow.created_by,
        name=data["name"],
        bud_prompt_id=called,
        project_id=UUID(data["project_id"]),
        status=PromptStatus.PENDING,
    )
    session.add(prompt)
    busy = Conflict("Somebody makes a prompt of this name at this moment; try again", param="name")
    with conflict_on("uq_prompt_name", _TAKEN), conflict_on("uq_prompt_bud_prompt_id", busy):
        await session.flush()
    return prompt


async def _ask_to_copy(_session: ReadSession, run: Run) -> PeerCall:
    source = (run.data["bud_prompt_id"], run.data["draft_version"])
    return peer.copy_config(*source, run.data["called"], 1, as_default=True)


async def _make(session: WriteSession, run: Run, _answer: Any) -> Outcome:
    data, workflow = run.data, run.workflow
    prompt = await crud.lock(session, workflow.tenant_id, UUID(data["reserved_prompt_id"]))
    if prompt is None:
        raise NotFound("The prompt was given up in the meantime")
    for name in _SAID:
        setattr(prompt, name, data.get(name))
    for name in _SWITCHES:
        setattr(prompt, name, bool(data.get(name)))
    version = PromptVersion(
        id=uuid7(),
        tenant_id=workflow.tenant_id,
        created_by=workflow.created_by,
        prompt_id=prompt.id,
        endpoint_id=UUID(data["endpoint_id"]),
        model_id=UUID(data["model_id"]),
        version=1,
        status=PromptStatus.ACTIVE,
    )
    session.add(version)
    await session.flush()
    prompt.status, prompt.default_version_id = PromptStatus.ACTIVE, version.id
    await session.flush()
    source = (data["bud_prompt_id"], data["draft_version"])
    for take in hooks_of(session).all(hooks.after_copy):
        await take(session, workflow.tenant_id, source, (prompt.bud_prompt_id, 1))
    step = {"prompt_id": str(prompt.id), "version_id": str(version.id)}
    return Outcome([step], result=step)


async def _give_up(session: WriteSession, run: Run) -> None:
    """Give the name back; budprompt deletes what it may have copied, as soon as it can be told."""
    reserved = run.data.get("reserved_prompt_id")
    prompt = await crud.lock(session, run.workflow.tenant_id, UUID(reserved)) if reserved else None
    if prompt is None or prompt.status != PromptStatus.PENDING:
        return
    prompt.status = PromptStatus.DELETED
    await enqueue_call(session, peer.delete_config(prompt.bud_prompt_id), aggregate=f"prompt:{prompt.id}")


async def _check_schema(session: WriteSession, caller: Caller, run: Run) -> None:
    data = run.data
    if data.get("deployment_name"):
        endpoint = await endpoint_named(session, caller, data["deployment_name"])
        await MANAGING.check(session, caller, endpoint.project_id)
        run.keep(endpoint_id=str(endpoint.id), model_id=str(endpoint.model_id), project_id=str(endpoint.project_id))
        if data.get("prompt_id"):
            await _take_draft(session, caller, run)


async def _take_draft(session: WriteSession, caller: Caller, run: Run) -> None:
    called = run.data["prompt_id"]
    if await crud.is_live(session, called):
        raise BadRequest("Schemas are taken over into drafts; make a new version of it", param="prompt_id")
    endpoint = await endpoint_named(session, caller, run.data["deployment_name"])
    await claim(session, caller, called, run.data.get("version") or 1, endpoint)


async def _ask_for_schema(_session: ReadSession, run: Run) -> PeerCall:
    data = run.data
    body: Json = {name: data[name] for name in ("prompt_id", "version", "type", "deployment_name") if data.get(name)}
    ids = {name: data[name] for name in ("endpoint_id", "model_id", "project_id")}
    owner = {"user_id": str(run.workflow.created_by), "api_key_project_id": data["project_id"]}
    switches = {"set_default": bool(data.get("set_default")), "permanent": False}
    return peer.take_over_schema({**body, **switches, **ids, **owner, "schema": data["prompt_schema"]})


async def _keep_schema(session: WriteSession, run: Run, result: Any) -> Outcome:
    saved = peer.PromptSchemaResult.model_validate(result)
    asked = run.data.get("prompt_id")
    if asked is not None and saved.prompt_id != asked:
        raise BadRequest("budprompt has saved another prompt than the one asked for")
    await crud.keep_draft(
        session,
        tenant_id=run.workflow.tenant_id,
        user_id=run.workflow.created_by,
        bud_prompt_id=saved.prompt_id,
        version=saved.version,
        endpoint_id=UUID(run.data["endpoint_id"]),
        ends=now() + LIFE,
    )
    tell_gateway(session, run.workflow.created_by, saved.prompt_id, saved.version, opens=True)
    return Outcome([{"bud_prompt_id": saved.prompt_id, "bud_prompt_version": saved.version}])


async def name_objects(session: ReadSession, tenant_id: UUID, data: Json) -> StepObjects:
    """Return what deployments name: the project, the deployment and its model."""
    return await deployments.name_objects(session, tenant_id, data)


_UNSHOWN = ("project_id", "endpoint_id", "cluster_id", "client_metadata", "permanent", "set_default", "version", "type")

CREATION = Definition(
    type="prompt_creation",
    scope=Scope.ENDPOINT_MANAGE,
    in_project=True,
    title="Making a prompt",
    tag=None,
    refusal="budprompt does not copy the draft",
    fields=PromptPost.step_fields(),
    shows=PromptSteps,
    unshown=(*_UNSHOWN, "reserved_prompt_id", "called", "draft_version"),
    name_objects=name_objects,
    check=_check,
    abandoned=_give_up,
    tasks=(Task(needs=_NEEDS, request=_ask_to_copy, results=_make),),
)

SCHEMA = Definition(
    type="prompt_schema_creation",
    scope=Scope.ENDPOINT_MANAGE,
    in_project=True,
    internal=True,
    title="Taking over a schema",
    tag=None,
    refusal="budprompt does not take the schema over",
    keeps_draft=False,
    fields=PromptSchemaPost.step_fields(),
    shows=PromptSteps,
    unshown=(*_UNSHOWN, "deployment_name"),
    name_objects=name_objects,
    check=_check_schema,
    tasks=(
        Task(
            needs=("prompt_schema", "type", "deployment_name"),
            request=_ask_for_schema,
            results=_keep_schema,
            events=Events(key="prompt_schema_events", type=peer.SCHEMA_EVENTS, steps=peer.SCHEMA_STEPS),
        ),
    ),
)
