"""Prompts as people reach them: lists, details, and the changes that need no more than one look at budprompt."""

from functools import partial
from uuid import UUID

from budapp.commons.access import Caller
from budapp.commons.crud import Page
from budapp.commons.database import ReadSession, WriteSession, after_rollback, release
from budapp.commons.errors import BadRequest, Conflict
from budapp.commons.hooks import hooks_of
from budapp.commons.scopes import Scope
from budapp.events.outbox import enqueue_call
from budapp.integrations import budprompt as peer
from budapp.integrations.budprompt import BudPrompt
from budapp.integrations.mcp_foundry import Foundry
from budapp.project_ops.services import RequiresInProject
from budapp.prompt_ops import crud, hooks
from budapp.prompt_ops import schemas as view
from budapp.prompt_ops.crud import PromptCrud, VersionCrud
from budapp.prompt_ops.models import Prompt, PromptStatus, PromptVersion

_SAME = (
    *("id", "name", "description", "tags", "project_id", "prompt_type", "auto_scale", "caching", "concurrency"),
    *("rate_limit", "rate_limit_value", "status", "created_at", "modified_at", "created_by", "default_version_id"),
)


async def reach_prompt(session: ReadSession, caller: Caller, prompt_id: UUID) -> Prompt:
    """Return the prompt, if the caller may look at it; or raise `NotFound`."""
    return await PromptCrud(session, caller).get(prompt_id)


async def _project_of(session: ReadSession, caller: Caller, prompt_id: UUID) -> UUID:
    return (await reach_prompt(session, caller, prompt_id)).project_id


VIEWING = RequiresInProject(Scope.ENDPOINT_VIEW, project_of=_project_of)
MANAGING = RequiresInProject(Scope.ENDPOINT_MANAGE, project_of=_project_of)
"""What looking at a prompt, and changing it, requires in its project."""


async def changeable_prompt(session: WriteSession, caller: Caller, prompt_id: UUID) -> Prompt:
    """Return the prompt, locked.

    Raises:
        NotFound: no such prompt, or out of reach.
        Forbidden: the caller lacks endpoint:manage in its project.
    """
    prompt = await PromptCrud(session, caller).get(prompt_id, for_update=True)
    await MANAGING.check(session, caller, prompt.project_id)
    return prompt


async def list_prompts(session: ReadSession, caller: Caller, query: view.PromptQuery) -> Page:
    """Return a page of the prompts in reach, the newest first."""
    return await PromptCrud(session, caller).page_of_prompts(query)


async def list_tags(session: ReadSession, caller: Caller, query: view.TagQuery, prefix: str = "") -> Page:
    """Return a page of the tags of the prompts in reach that begin like this."""
    return await PromptCrud(session, caller).page_of_tags(query, prefix)


async def list_versions(session: ReadSession, caller: Caller, prompt_id: UUID, query: view.VersionQuery) -> Page:
    """Return a page of the prompt's versions, the newest first; or raise `NotFound`."""
    await reach_prompt(session, caller, prompt_id)
    return await VersionCrud(session, caller, prompt_id).page_of_versions(query)


async def get_prompt(session: ReadSession, caller: Caller, prompt_id: UUID) -> view.PromptView:
    """Return the prompt with its default version, or raise `NotFound`."""
    return await prompt_view(session, await reach_prompt(session, caller, prompt_id))


async def prompt_view(session: ReadSession, prompt: Prompt) -> view.PromptView:
    """Return the prompt as it is shown."""
    row = await crud.details(session, prompt.default_version_id)
    default = view.PromptVersionView.of(row) if row is not None else None
    model = view.ModelMark.model_validate(default.model) if default else None
    return view.PromptView(
        **{name: getattr(prompt, name) for name in _SAME},
        prompt_name=prompt.bud_prompt_id,
        default_version=default,
        version=default.version if default else None,
        model_name=model.name if model else None,
        model_icon=model.icon if model else None,
        modality=default.model.modality if default else None,
        model=model,
    )


async def version_view(session: ReadSession, version: PromptVersion) -> view.PromptVersionView:
    """Return the version as it is shown."""
    return view.PromptVersionView.of(await crud.details(session, version.id))


async def update_prompt(
    session: WriteSession, caller: Caller, budprompt: BudPrompt, prompt_id: UUID, data: view.PromptUpdate
) -> view.PromptView:
    """Change what was sent; another default version counts at budprompt first.

    Raises:
        NotFound: no such prompt or version, or out of reach.
        Forbidden: the caller lacks endpoint:manage in the project.
        BadRequest: it is to have another name.
    """
    found = await reach_prompt(session, caller, prompt_id)
    await MANAGING.check(session, caller, found.project_id)
    if data.name is not None and data.name != found.name:
        raise BadRequest("A prompt is called by its name, which can't be changed; make another prompt", param="name")
    if data.default_version_id is not None and data.default_version_id != found.default_version_id:
        version = await VersionCrud(session, caller, prompt_id).get(data.default_version_id)
        await make_default(session, caller, budprompt, found, version)
    prompt = await changeable_prompt(session, caller, prompt_id)
    for name in {"description", "tags"} & data.model_fields_set:
        setattr(prompt, name, getattr(data, name) if name != "tags" else data.model_dump(mode="json")["tags"])
    await session.flush()
    return await prompt_view(session, prompt)


async def make_default(
    session: WriteSession, caller: Caller, budprompt: BudPrompt, prompt: Prompt, version: PromptVersion
) -> None:
    """Have a version count where none is named: at budprompt first, and here once that has it.

    Where this unit of work fails, budprompt is told the former one again.

    Raises:
        Conflict: the version was deleted in the meantime.
        NotFound, BadRequest, PeerFailed, Unavailable: budprompt does not do it.
    """
    before, number = await crud.details(session, prompt.default_version_id), version.version
    called, prompt_id, version_id = prompt.bud_prompt_id, prompt.id, version.id
    await release(session)
    await budprompt.carry_out(peer.set_default(called, number))
    if before is not None:
        former = peer.set_default(called, before.PromptVersion.version)
        after_rollback(session, partial(budprompt.carry_out, former))
    locked = await changeable_prompt(session, caller, prompt_id)
    if not any(one.id == version_id for one in await crud.versions_of(session, prompt_id)):
        raise Conflict("The version was deleted in the meantime", param="default_version_id")
    locked.default_version_id = version_id
    await session.flush()


async def delete_prompt(session: WriteSession, caller: Caller, foundry: Foundry, token: str, prompt_id: UUID) -> None:
    """Delete a prompt with its versions; budprompt and the gateway are told, as soon as they can be.

    What the MCP Foundry has of it goes first, with the caller's access token: where that fails, the prompt stays.

    Raises:
        NotFound, Forbidden: see `changeable_prompt`.
    """
    found = await reach_prompt(session, caller, prompt_id)
    await MANAGING.check(session, caller, found.project_id)
    await clear_foundry(session, caller, foundry, token, found.bud_prompt_id, None)
    prompt = await changeable_prompt(session, caller, prompt_id)
    for version in await crud.versions_of(session, prompt_id):
        version.status = PromptStatus.DELETED
    prompt.status = PromptStatus.DELETED
    await tell_deletion(session, caller.tenant_id, prompt.bud_prompt_id, None)
    await enqueue_call(session, peer.delete_config(prompt.bud_prompt_id), aggregate=f"prompt:{prompt_id}")


async def clear_foundry(
    session: WriteSession, caller: Caller, foundry: Foundry, token: str, called: str, version: int | None
) -> None:
    """Have the MCP Foundry delete what it has of a prompt, or of one version of it; where it fails, that is raised."""
    paths: list[str] = []
    for find in hooks_of(session).all(hooks.at_foundry):
        paths += await find(session, caller.tenant_id, called, version)
    if paths:
        await release(session)
    for path in paths:
        await foundry.forget(token, path)


async def tell_deletion(session: WriteSession, tenant_id: UUID, called: str, version: int | None) -> None:
    """Tell other domains that a prompt, a version of it or a draft is gone."""
    for tell in hooks_of(session).all(hooks.after_deletion):
        await tell(session, tenant_id, called, version)


async def before_endpoint_deletion(session: WriteSession, endpoint_id: UUID) -> None:
    """Refuse to delete a deployment that answers a prompt."""
    name = await crud.uses(session, endpoint_id)
    if name is not None:
        raise BadRequest(f"The prompt {name} is answered by this deployment; give it another one, or delete it first")
