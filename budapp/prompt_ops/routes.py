from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query

from budapp.api_key_ops.holders import Holder, PersonOrBearerOfKey
from budapp.commons.access import Caller, Requires, Token
from budapp.commons.database import Read, Write
from budapp.commons.deadlines import TRIGGER_SECONDS, may_take
from budapp.commons.domain import provided
from budapp.commons.idempotency import IdempotentRoute
from budapp.commons.scopes import Scope
from budapp.integrations.budprompt import BudPrompt
from budapp.integrations.mcp_foundry import Foundry
from budapp.integrations.traces import PromptTraces
from budapp.project_ops.services import RequiresInProject
from budapp.prompt_ops import schemas as view
from budapp.prompt_ops import services, traces
from budapp.prompt_ops import trace_schemas as trace_view
from budapp.prompt_ops.drafts import Drafts
from budapp.prompt_ops.services import MANAGING, VIEWING
from budapp.prompt_ops.versions import Versions
from budapp.prompt_ops.workflows import CREATION, SCHEMA
from budapp.workflow_ops.schemas import WorkflowRetrieved
from budapp.workflow_ops.services import WorkflowsDep

router = APIRouter(prefix="/prompts", tags=["prompts"], route_class=IdempotentRoute)

Person = Annotated[Caller, Depends(Requires(Scope.PROJECT_VIEW))]
"""Drafts are anybody's own; which deployments they may name is asked in the deployment's project."""
Writer = Annotated[Caller, Depends(RequiresInProject(Scope.ENDPOINT_MANAGE))]
Viewer = Annotated[Caller, Depends(VIEWING)]
Manager = Annotated[Caller, Depends(MANAGING)]
HolderDep = Annotated[Holder, Depends(PersonOrBearerOfKey())]
VersionsDep = Annotated[Versions, provided(Versions)]
DraftsDep = Annotated[Drafts, provided(Drafts)]
BudPromptDep = Annotated[BudPrompt, provided(BudPrompt)]
FoundryDep = Annotated[Foundry, provided(Foundry)]
BudPromptId = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,199}$")]
TraceName = Annotated[str, Path(pattern=r"^[0-9A-Za-z]{1,64}$")]
TracesDep = Annotated[PromptTraces, provided(PromptTraces)]
_SLOW = [may_take(TRIGGER_SECONDS)]
_ONE = "/{prompt_id}"
_VERSION = _ONE + "/versions/{version_id}"


@router.get("")
async def list_prompts(caller: Person, session: Read, query: Annotated[view.PromptQuery, Query()]) -> view.PromptList:
    """List the prompts of your projects, the newest first."""
    return view.PromptList.of(await services.list_prompts(session, caller, query))


@router.get("/tags")
async def list_tags(caller: Person, session: Read, query: Annotated[view.TagQuery, Query()]) -> view.PromptTagList:
    """List the tags of the prompts of your projects."""
    return view.PromptTagList.of(await services.list_tags(session, caller, query))


@router.get("/tags/search")
async def search_tags(
    caller: Person, session: Read, query: Annotated[view.TagSearchQuery, Query()]
) -> view.PromptTagList:
    """List the tags of the prompts of your projects that begin like this."""
    return view.PromptTagList.of(await services.list_tags(session, caller, query, query.search_term))


@router.post("/prompt-workflow", dependencies=_SLOW)
async def make_prompt(data: view.PromptPost, caller: Writer, flows: WorkflowsDep) -> WorkflowRetrieved:
    """Post a step of making a prompt of a draft; the one that triggers makes it, as version 1."""
    return await flows.post(caller, CREATION.type, data)


@router.post("/prompt-schema", dependencies=_SLOW)
async def take_over_schema(data: view.PromptSchemaPost, caller: Person, flows: WorkflowsDep) -> WorkflowRetrieved:
    """Have budprompt take over the schema of a draft's input or output."""
    return await flows.post(caller, SCHEMA.type, data)


@router.post("/prompt-config")
async def save_config(data: view.PromptConfigPost, caller: Person, drafts: DraftsDep) -> view.ConfigSaved:
    """Save some of what a draft, or a version of a prompt, says; what is left out stays as it is."""
    return await drafts.save(caller, data)


@router.get("/prompt-config/{prompt_name}")
async def get_config(
    prompt_name: BudPromptId,
    caller: Person,
    session: Read,
    drafts: DraftsDep,
    query: Annotated[view.ConfigQuery, Query()],
) -> view.ConfigAnswer:
    """Return what a draft of your own, or a version of a prompt, says."""
    return await drafts.get(session, caller, prompt_name, query.version)


@router.post("/prompt-cleanup")
async def clean_up(data: view.CleanupPost, caller: Person, session: Write, drafts: DraftsDep) -> view.CleanedUp:
    """Delete drafts of your own."""
    await drafts.clean_up(session, caller, data)
    return view.CleanedUp()


@router.get(_ONE)
async def get_prompt(prompt_id: UUID, caller: Viewer, session: Read) -> view.PromptAnswer:
    """Get a prompt with its default version."""
    return view.PromptAnswer(prompt=await services.get_prompt(session, caller, prompt_id))


@router.patch(_ONE)
async def update_prompt(
    prompt_id: UUID, data: view.PromptUpdate, caller: Manager, session: Write, budprompt: BudPromptDep
) -> view.PromptAnswer:
    """Change a prompt's description, tags or default version."""
    changed = await services.update_prompt(session, caller, budprompt, prompt_id, data)
    return view.PromptAnswer(message="Prompt changed", prompt=changed)


@router.delete(_ONE, dependencies=_SLOW)
async def delete_prompt(
    prompt_id: UUID, caller: Manager, token: Token, session: Write, foundry: FoundryDep
) -> view.PromptDeleted:
    """Delete a prompt with all its versions."""
    await services.delete_prompt(session, caller, foundry, token, prompt_id)
    return view.PromptDeleted()


@router.get(_ONE + "/versions")
async def list_versions(
    prompt_id: UUID, caller: Viewer, session: Read, query: Annotated[view.VersionQuery, Query()]
) -> view.VersionList:
    """List the versions of a prompt, the newest first."""
    return view.VersionList.of(await services.list_versions(session, caller, prompt_id, query))


@router.post(_ONE + "/versions", dependencies=_SLOW)
async def create_version(
    prompt_id: UUID, data: view.VersionCreate, caller: Manager, versions: VersionsDep
) -> view.VersionAnswer:
    """Make a draft of your own the next version of a prompt."""
    return view.VersionAnswer(message="Version created", version=await versions.create(caller, prompt_id, data))


@router.get(_ONE + "/versions/compare", dependencies=_SLOW)
async def compare_versions(
    prompt_id: UUID,
    caller: Viewer,
    session: Read,
    versions: VersionsDep,
    query: Annotated[view.CompareQuery, Query()],
) -> view.VersionComparison:
    """Return what one version of a prompt says otherwise than another."""
    return await versions.compare(session, caller, prompt_id, query)


@router.get(_VERSION)
async def get_version(
    prompt_id: UUID, version_id: UUID, caller: Viewer, session: Read, versions: VersionsDep
) -> view.VersionDetail:
    """Get a version with what it says."""
    return await versions.get(session, caller, prompt_id, version_id)


@router.patch(_VERSION)
async def update_version(
    prompt_id: UUID,
    version_id: UUID,
    data: view.VersionUpdate,
    caller: Manager,
    session: Write,
    versions: VersionsDep,
) -> view.VersionAnswer:
    """Have another deployment answer a version, or make it the default."""
    changed = await versions.update(session, caller, prompt_id, version_id, data)
    return view.VersionAnswer(message="Version changed", version=changed)


@router.delete(_VERSION, dependencies=_SLOW)
async def delete_version(
    prompt_id: UUID, version_id: UUID, caller: Manager, token: Token, session: Write, versions: VersionsDep
) -> view.VersionDeleted:
    """Delete a version that is not the default."""
    await versions.delete(session, caller, token, prompt_id, version_id)
    return view.VersionDeleted()


@router.post("/telemetry/query")
async def query_telemetry(
    data: trace_view.TelemetryQuery, holder: HolderDep, session: Read, found: TracesDep
) -> trace_view.TelemetryAnswer:
    """Look for parts of a prompt's calls; with an API key as bearer token, of prompts of its project."""
    return await traces.query_telemetry(session, holder, found, data)


@router.get("/{prompt_name}/traces")
async def list_traces(
    prompt_name: BudPromptId,
    caller: Person,
    session: Read,
    found: TracesDep,
    query: Annotated[trace_view.TraceQuery, Query()],
) -> trace_view.TraceList:
    """List the calls of a prompt, the newest first."""
    return await traces.list_traces(session, caller, found, prompt_name, query)


@router.get("/{prompt_name}/traces/{trace}")
async def get_trace(
    prompt_name: BudPromptId, trace: TraceName, project_id: UUID, caller: Person, session: Read, found: TracesDep
) -> trace_view.TraceAnswer:
    """Get a call of a prompt with all its parts."""
    return await traces.get_trace(session, caller, found, prompt_name, project_id, trace)
