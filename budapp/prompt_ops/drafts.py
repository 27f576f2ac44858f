"""What prompts say while they are written: drafts, which are somebody's own for a day, and versions of prompts."""

from datetime import timedelta
from uuid import UUID, uuid4

from budapp.audit.models import Action, ResourceType
from budapp.audit.recorder import record
from budapp.commons.access import Caller
from budapp.commons.database import Database, ReadSession, WriteSession, now, release
from budapp.commons.errors import BadRequest, NotFound
from budapp.endpoint_ops.models import Endpoint
from budapp.endpoint_ops.services import endpoint_named
from budapp.events.outbox import enqueue_call
from budapp.gateway_changes.services import note
from budapp.integrations import budprompt as peer
from budapp.integrations.budprompt import BudPrompt
from budapp.prompt_ops import crud
from budapp.prompt_ops import schemas as view
from budapp.prompt_ops.crud import PromptCrud, VersionCrud
from budapp.prompt_ops.models import Prompt, PromptDraft
from budapp.prompt_ops.services import MANAGING, tell_deletion

LIFE = timedelta(hours=24)
"""As long as budprompt keeps a draft after it was saved last."""
_NOT_FOUND = "There is no such prompt or draft; drafts end a day after they were saved last"


class Drafts:
    """What is done with drafts. Whatever budprompt refuses, fails at or does not answer is raised as it is."""

    def __init__(self, budprompt: BudPrompt, database: Database) -> None:
        self._budprompt = budprompt
        self._database = database

    async def save(self, caller: Caller, data: view.PromptConfigPost) -> view.ConfigSaved:
        """Save some of what a draft or a version says; budprompt keeps the rest as it is.

        Whose a draft is, is settled before budprompt hears of it.

        Raises:
            NotFound: it is somebody else's, or there is no such version or deployment in reach.
            Forbidden: the caller lacks endpoint:manage in the project of the deployment, or of the prompt.
        """
        called = data.prompt_id or str(uuid4())
        async with self._database.write() as session:
            prompt = await _live(session, caller, called)
            if prompt is None:
                endpoint = await _endpoint(session, caller, data.deployment_name)
                await claim(session, caller, called, data.version, endpoint)
            else:
                endpoint = await _prepare_version(session, caller, prompt, data)
        kept = {"prompt_id": called, "version": data.version, "permanent": prompt is not None, "set_default": False}
        saved = await self._budprompt.save({**data.said(), **kept, "set_default": data.set_default and prompt is None})
        if prompt is not None:
            await self._note_saved(caller, prompt, data, endpoint)
        return view.ConfigSaved(bud_prompt_id=saved.prompt_id, bud_prompt_version=saved.version)

    async def _note_saved(
        self, caller: Caller, prompt: Prompt, data: view.PromptConfigPost, endpoint: Endpoint | None
    ) -> None:
        async with self._database.write() as session:
            version = await VersionCrud(session, caller, prompt.id).numbered(data.version, for_update=True)
            if endpoint is not None:
                version.endpoint_id, version.model_id = endpoint.id, endpoint.model_id
            about = {"version": data.version, "changed": sorted(data.said())}
            record(
                session,
                Action.UPDATE,
                ResourceType.CONFIG,
                resource_id=prompt.id,
                resource_name=prompt.name,
                details={"table": "prompt_version", **about},
            )

    async def get(self, session: ReadSession, caller: Caller, bud_prompt_id: str, version: int) -> view.ConfigAnswer:
        """Return what a draft of the caller's, or a version of a prompt in reach, says; or raise `NotFound`."""
        prompt = await PromptCrud(session, caller).called(bud_prompt_id)
        if prompt is not None:
            endpoint_id: UUID | None = (await VersionCrud(session, caller, prompt.id).numbered(version)).endpoint_id
        else:
            endpoint_id = (await own_draft(session, caller, bud_prompt_id)).endpoint_id
        await release(session)
        found = await self._budprompt.config(bud_prompt_id, version)
        data = view.PromptConfigData(**{**found.data.model_dump(), "deployment_id": endpoint_id})
        return view.ConfigAnswer(prompt_id=bud_prompt_id, version=version, data=data)

    async def clean_up(self, session: WriteSession, caller: Caller, data: view.CleanupPost) -> None:
        """Delete drafts of the caller's, here and, as soon as it can be told, at budprompt; others are left alone."""
        await discard(session, caller, [one.prompt_id for one in data.prompts])


async def require_readable(session: ReadSession, caller: Caller, called: str, version: int) -> None:
    """Raise `NotFound` unless it is a draft of the caller's, or a version of a prompt in reach."""
    prompt = await PromptCrud(session, caller).called(called)
    if prompt is None:
        await own_draft(session, caller, called)
    else:
        await VersionCrud(session, caller, prompt.id).numbered(version)


async def require_writable(session: ReadSession, caller: Caller, called: str, version: int) -> bool:
    """Return whether it is a prompt, rather than a draft of the caller's.

    Raises:
        NotFound: it is neither, or the prompt has no such version.
        Forbidden: the caller lacks endpoint:manage in the prompt's project.
    """
    await require_readable(session, caller, called, version)
    prompt = await PromptCrud(session, caller).called(called)
    if prompt is not None:
        await MANAGING.check(session, caller, prompt.project_id)
    return prompt is not None


async def own_draft(session: ReadSession, caller: Caller, bud_prompt_id: str) -> PromptDraft:
    """Return the caller's draft, or raise `NotFound` where it is none, over, or a prompt."""
    draft = await crud.draft_of(session, caller, bud_prompt_id)
    if draft is None or await crud.is_live(session, bud_prompt_id):
        raise NotFound(_NOT_FOUND, param="prompt_id")
    return draft


async def claim(
    session: WriteSession, caller: Caller, bud_prompt_id: str, version: int, endpoint: Endpoint | None
) -> None:
    """Note that a draft is the caller's for another day, or raise `NotFound` where it is somebody else's."""
    endpoint_id = endpoint.id if endpoint is not None else None
    is_new = await crud.claim_draft(session, caller, bud_prompt_id, version, endpoint_id, now() + LIFE)
    if is_new is None:
        raise NotFound(_NOT_FOUND, param="prompt_id")
    tell_gateway(session, caller.user_id, bud_prompt_id, version, opens=is_new or endpoint is not None)


def tell_gateway(session: WriteSession, user_id: UUID, called: str, version: int, *, opens: bool) -> None:
    """Have the gateway's entries of a draft worked out anew; with `opens`, those of its owner's tokens too."""
    note(session, "draft", f"{user_id}/{called}/{version}")
    if opens:
        note(session, "owner", str(user_id))


async def discard(session: WriteSession, caller: Caller, ids: list[str]) -> None:
    """Delete those of the drafts that are the caller's; budprompt is told through the outbox."""
    drafts = [(one.bud_prompt_id, one.version) for one in await crud.drafts_of(session, caller, ids)]
    live = [called for called, _ in drafts if await crud.is_live(session, called)]
    drafts = [(called, version) for called, version in drafts if called not in live]
    if not drafts:
        return
    await crud.forget_drafts(session, caller.user_id, [called for called, _ in drafts])
    for called, version in drafts:
        tell_gateway(session, caller.user_id, called, version, opens=True)
    for called, _ in drafts:
        await tell_deletion(session, caller.tenant_id, called, None)
    await enqueue_call(session, peer.clean_up(drafts), aggregate=f"prompt-drafts:{caller.user_id}")


async def purge(database: Database) -> None:
    """Delete the rows of drafts that are over."""
    async with database.write() as session:
        await crud.purge_drafts(session)


async def _live(session: ReadSession, caller: Caller, called: str) -> Prompt | None:
    """Return the prompt of the id; None where there is none, and `NotFound` where it is out of reach."""
    prompt = await PromptCrud(session, caller).called(called)
    if prompt is None and await crud.is_live(session, called):
        raise NotFound(_NOT_FOUND, param="prompt_id")
    return prompt


async def _endpoint(session: ReadSession, caller: Caller, name: str | None) -> Endpoint | None:
    if name is None:
        return None
    endpoint = await endpoint_named(session, caller, name)
    await MANAGING.check(session, caller, endpoint.project_id)
    return endpoint


async def _prepare_version(
    session: ReadSession, caller: Caller, prompt: Prompt, data: view.PromptConfigPost
) -> Endpoint | None:
    await MANAGING.check(session, caller, prompt.project_id)
    await VersionCrud(session, caller, prompt.id).numbered(data.version)
    endpoint = await _endpoint(session, caller, data.deployment_name)
    if endpoint is not None and endpoint.project_id != prompt.project_id:
        raise BadRequest("The deployment must be in the prompt's project", param="deployment_name")
    return endpoint
