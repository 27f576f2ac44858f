"""Versions of prompts: what they say is copied by budprompt, between two units of work."""

import asyncio
from uuid import UUID

from uuid_utils.compat import uuid7

from budapp.commons.access import Caller
from budapp.commons.database import Database, ReadSession, WriteSession, release
from budapp.commons.errors import AppError, BadRequest, Conflict, NotFound
from budapp.commons.hooks import hooks_of
from budapp.endpoint_ops.access import reach_endpoint
from budapp.endpoint_ops.models import Endpoint
from budapp.events.outbox import enqueue_call
from budapp.integrations import budprompt as peer
from budapp.integrations.budprompt import BudPrompt
from budapp.integrations.mcp_foundry import Foundry
from budapp.prompt_ops import crud, hooks
from budapp.prompt_ops import schemas as view
from budapp.prompt_ops.comparison import changes_between
from budapp.prompt_ops.crud import VersionCrud
from budapp.prompt_ops.models import Prompt, PromptStatus, PromptVersion
from budapp.prompt_ops.services import (
    MANAGING,
    changeable_prompt,
    clear_foundry,
    make_default,
    reach_prompt,
    tell_deletion,
    version_view,
)

_GONE = Conflict("The prompt was deleted in the meantime")


class Versions:
    """What is done with versions. Whatever budprompt refuses, fails at or does not answer is raised as it is."""

    def __init__(self, budprompt: BudPrompt, foundry: Foundry, database: Database) -> None:
        self._budprompt = budprompt
        self._foundry = foundry
        self._database = database

    async def create(self, caller: Caller, prompt_id: UUID, data: view.VersionCreate) -> view.PromptVersionView:
        """Make a draft of the caller's the next version; it is there for all once budprompt has copied it.

        The number is taken first. Where budprompt does not copy, it is given back.

        Raises:
            NotFound: no such prompt, deployment or draft, or out of reach.
            Forbidden: the caller lacks endpoint:manage in the project.
            BadRequest: the deployment is in another project.
        """
        async with self._database.write() as session:
            prompt = await changeable_prompt(session, caller, prompt_id)
            endpoint = await endpoint_for(session, caller, prompt.project_id, data.endpoint_id)
            draft = await crud.draft_of(session, caller, data.bud_prompt_id)
            if draft is None:
                raise NotFound("There is no such draft any more; save it again", param="bud_prompt_id")
            version = _new(prompt, endpoint, caller, await crud.next_version(session, prompt_id))
            session.add(version)
            called, number, source = prompt.bud_prompt_id, version.version, (draft.bud_prompt_id, draft.version)
            version_id = version.id
        try:
            await self._budprompt.carry_out(peer.copy_config(*source, called, number, as_default=data.set_as_default))
        except (AppError, asyncio.CancelledError):
            await self._give_back(version_id)
            raise
        async with self._database.write() as session:
            made = await self._take(session, caller, prompt_id, version_id, as_default=data.set_as_default)
            for take in hooks_of(session).all(hooks.after_copy):
                await take(session, caller.tenant_id, source, (called, number))
            return made

    async def _take(
        self, session: WriteSession, caller: Caller, prompt_id: UUID, version_id: UUID, *, as_default: bool
    ) -> view.PromptVersionView:
        prompt = await crud.lock(session, caller.tenant_id, prompt_id)
        version = await crud.pending_version(session, version_id)
        if prompt is None or version is None:
            raise _GONE
        version.status = PromptStatus.ACTIVE
        await session.flush()
        if as_default:
            prompt.default_version_id = version.id
            await session.flush()
        return await version_view(session, version)

    async def _give_back(self, version_id: UUID) -> None:
        async with self._database.write() as session:
            version = await crud.pending_version(session, version_id)
            if version is not None:
                await session.delete(version)

    async def get(self, session: ReadSession, caller: Caller, prompt_id: UUID, version_id: UUID) -> view.VersionDetail:
        """Return a version with what it says, or raise `NotFound`."""
        prompt = await reach_prompt(session, caller, prompt_id)
        shown = await version_view(session, await VersionCrud(session, caller, prompt_id).get(version_id))
        await release(session)
        config = await self._budprompt.config(prompt.bud_prompt_id, shown.version)
        return view.VersionDetail(version=shown, config_data=config.data)

    async def update(
        self, session: WriteSession, caller: Caller, prompt_id: UUID, version_id: UUID, data: view.VersionUpdate
    ) -> view.PromptVersionView:
        """Have another deployment answer a version, or have it count where none is named.

        Raises:
            NotFound, Forbidden, BadRequest: see `create`.
        """
        prompt = await reach_prompt(session, caller, prompt_id)
        await MANAGING.check(session, caller, prompt.project_id)
        version = await VersionCrud(session, caller, prompt_id).get(version_id)
        if data.set_as_default and prompt.default_version_id != version_id:
            await make_default(session, caller, self._budprompt, prompt, version)
        locked = await VersionCrud(session, caller, prompt_id).get(version_id, for_update=True)
        if data.endpoint_id is not None:
            endpoint = await endpoint_for(session, caller, prompt.project_id, data.endpoint_id)
            locked.endpoint_id, locked.model_id = endpoint.id, endpoint.model_id
        await session.flush()
        return await version_view(session, locked)

    async def delete(
        self, session: WriteSession, caller: Caller, token: str, prompt_id: UUID, version_id: UUID
    ) -> None:
        """Delete a version; budprompt and the gateway are told, as soon as they can be.

        Raises:
            NotFound, Forbidden: see `create`.
            BadRequest: it is the default version.
        """
        found = await reach_prompt(session, caller, prompt_id)
        await MANAGING.check(session, caller, found.project_id)
        version = await VersionCrud(session, caller, prompt_id).get(version_id)
        if version.id != found.default_version_id:
            await clear_foundry(session, caller, self._foundry, token, found.bud_prompt_id, version.version)
        prompt = await changeable_prompt(session, caller, prompt_id)
        version = await VersionCrud(session, caller, prompt_id).get(version_id, for_update=True)
        if version.id == prompt.default_version_id:
            raise BadRequest("This is the default version; make another one the default first")
        version.status = PromptStatus.DELETED
        await tell_deletion(session, caller.tenant_id, prompt.bud_prompt_id, version.version)
        call = peer.delete_config(prompt.bud_prompt_id, version.version)
        await enqueue_call(session, call, aggregate=f"prompt:{prompt_id}")

    async def compare(
        self, session: ReadSession, caller: Caller, prompt_id: UUID, query: view.CompareQuery
    ) -> view.VersionComparison:
        """Return what one version says otherwise than another, or raise `NotFound`."""
        prompt = await reach_prompt(session, caller, prompt_id)
        versions = VersionCrud(session, caller, prompt_id)
        before = await version_view(session, await versions.numbered(query.from_version))
        after = await version_view(session, await versions.numbered(query.to_version))
        await release(session)
        says = [await self._budprompt.config(prompt.bud_prompt_id, one.version) for one in (before, after)]
        told = [config.data.model_dump(mode="json") for config in says]
        deployments = [{"deployment": one.endpoint.name} for one in (before, after)]
        changes = changes_between(deployments[0] | told[0], deployments[1] | told[1])
        return view.VersionComparison(from_version=before, to_version=after, changes=changes)


async def endpoint_for(session: ReadSession, caller: Caller, project_id: UUID, endpoint_id: UUID) -> Endpoint:
    """Return the deployment that is to answer prompts of the project.

    Raises:
        NotFound: no such deployment, or out of reach.
        BadRequest: it is in another project.
    """
    endpoint = await reach_endpoint(session, caller, endpoint_id)
    if endpoint.project_id != project_id:
        raise BadRequest("The deployment must be in the prompt's project", param="endpoint_id")
    return endpoint


def _new(prompt: Prompt, endpoint: Endpoint, caller: Caller, number: int) -> PromptVersion:
    about = {"prompt_id": prompt.id, "endpoint_id": endpoint.id, "model_id": endpoint.model_id}
    owner = {"tenant_id": caller.tenant_id, "created_by": caller.user_id}
    return PromptVersion(id=uuid7(), version=number, status=PromptStatus.PENDING, **about, **owner)
