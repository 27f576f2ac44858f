from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, delete, func, literal_column, or_, select, true
from sqlalchemy.dialects.postgresql import insert

from budapp.commons.access import Caller
from budapp.commons.crud import Crud, Page, named_colors
from budapp.commons.database import ReadSession, WriteSession, now
from budapp.commons.errors import NotFound
from budapp.commons.paging import Paging, equal, matching
from budapp.commons.scopes import Scope
from budapp.endpoint_ops.models import Endpoint
from budapp.model_ops.models import Model
from budapp.project_ops.services import projects_holding
from budapp.prompt_ops.models import Prompt, PromptDraft, PromptStatus, PromptVersion
from budapp.prompt_ops.schemas import PromptQuery, VersionQuery

_SHOWN = ("id", "name", "bud_prompt_id", "description", "tags", "project_id", "prompt_type", "status")
_COLUMNS = {name: getattr(Prompt, name) for name in (*_SHOWN, "created_at", "modified_at", "default_version_id")}
_VERSIONS = {
    name: getattr(PromptVersion, name) for name in ("id", "version", "endpoint_id", "created_at", "modified_at")
}


class PromptCrud(Crud[Prompt]):
    """The prompts of the projects in which the caller may view endpoints."""

    model = Prompt

    def reach(self) -> list[Any]:
        """Add that the prompt is there for all, and the reach of its project."""
        mine = projects_holding(self.session, self.caller, Scope.ENDPOINT_VIEW)
        live = Prompt.status == literal_column(f"'{PromptStatus.ACTIVE}'")
        return [Prompt.tenant_id == self.caller.tenant_id, live, Prompt.project_id.in_(mine)]

    async def page_of_prompts(self, query: PromptQuery) -> Page:
        """Return a page of `PromptItem` columns."""
        default = (
            PromptVersion.version.label("default_version"),
            Model.name.label("model_name"),
            Model.icon.label("model_icon"),
            Model.modality,
            Model.provider_type.label("model_provider_type"),
        )
        statement = (
            self.visible(*_COLUMNS.values(), *default)
            .outerjoin(PromptVersion, PromptVersion.id == Prompt.default_version_id)
            .outerjoin(Model, Model.id == PromptVersion.model_id)
            .where(*equal(query, project_id=Prompt.project_id, prompt_type=Prompt.prompt_type))
            .where(*matching(query, name=Prompt.name))
        )
        return await self.page(query, statement, _COLUMNS)

    async def page_of_tags(self, query: Paging, prefix: str = "") -> Page:
        """Return a page of the tags in reach, each name once."""
        tag = named_colors(Prompt.tags)
        found = self.visible(tag.c.name.label("id"), tag.c.name, func.min(tag.c.color).label("color"))
        found = found.join(tag, true()).group_by(tag.c.name)
        if prefix:
            found = found.where(tag.c.name.istartswith(prefix, autoescape=True))
        tags = found.subquery()
        return await self.page(query, select(tags), {"id": tags.c.id, "name": tags.c.name}, "name")

    async def called(self, bud_prompt_id: str) -> Prompt | None:
        """Return the prompt that budprompt keeps under the id, if it is in reach."""
        found: Prompt | None = await self.session.scalar(self.visible().where(Prompt.bud_prompt_id == bud_prompt_id))
        return found


class VersionCrud(Crud[PromptVersion]):
    """The versions of one prompt, which the caller has been found to reach."""

    model = PromptVersion

    def __init__(self, session: ReadSession, caller: Caller, prompt_id: UUID) -> None:
        super().__init__(session, caller)
        self._prompt_id = prompt_id

    def reach(self) -> list[Any]:
        """Add that it is the prompt's, and there for all."""
        live = PromptVersion.status == literal_column(f"'{PromptStatus.ACTIVE}'")
        return [PromptVersion.tenant_id == self.caller.tenant_id, live, PromptVersion.prompt_id == self._prompt_id]

    async def page_of_versions(self, query: VersionQuery) -> Page:
        """Return a page of `VersionItem` columns."""
        is_default = (PromptVersion.id == Prompt.default_version_id).label("is_default_version")
        statement = (
            self.visible(*_VERSIONS.values(), Endpoint.name.label("endpoint_name"), is_default)
            .join(Prompt, Prompt.id == PromptVersion.prompt_id)
            .join(Endpoint, Endpoint.id == PromptVersion.endpoint_id)
            .where(*equal(query, version=PromptVersion.version))
        )
        return await self.page(query, statement, _VERSIONS, "-version")

    async def numbered(self, version: int, *, for_update: bool = False) -> PromptVersion:
        """Return the version of this number, or raise `NotFound`."""
        statement = self.visible().where(PromptVersion.version == version)
        if for_update:
            statement = statement.with_for_update().execution_options(populate_existing=True)
        found: PromptVersion | None = await self.session.scalar(statement)
        if found is None:
            raise NotFound("The prompt has no such version")
        return found


async def details(session: ReadSession, version_id: UUID | None) -> Row[Any] | None:
    """Return `PromptVersion`, `Endpoint` and `Model` of a version."""
    statement = (
        select(PromptVersion, Endpoint, Model)
        .join(Endpoint, Endpoint.id == PromptVersion.endpoint_id)
        .join(Model, Model.id == PromptVersion.model_id)
        .where(PromptVersion.id == version_id)
    )
    found: Row[Any] | None = (await session.execute(statement)).first()  # type: ignore[assignment]
    return found


async def lock(session: WriteSession, tenant_id: UUID, prompt_id: UUID) -> Prompt | None:
    """Return the tenant's prompt, locked, if it is not deleted; a pending one, too."""
    mine = (Prompt.id == prompt_id, Prompt.tenant_id == tenant_id, Prompt.status != PromptStatus.DELETED)
    found: Prompt | None = await session.scalar(
        select(Prompt).where(*mine).with_for_update().execution_options(populate_existing=True)
    )
    return found


async def next_version(session: WriteSession, prompt_id: UUID) -> int:
    """Return the number that follows those of the prompt's versions, deleted ones too."""
    highest = select(func.max(PromptVersion.version)).where(PromptVersion.prompt_id == prompt_id)
    return (await session.scalar(highest) or 0) + 1


async def pending_version(session: WriteSession, version_id: UUID) -> PromptVersion | None:
    """Return the version, locked, if it is still being made."""
    statement = select(PromptVersion).where(
        PromptVersion.id == version_id, PromptVersion.status == PromptStatus.PENDING
    )
    found: PromptVersion | None = await session.scalar(statement.with_for_update())
    return found


async def versions_of(session: WriteSession, prompt_id: UUID) -> Sequence[PromptVersion]:
    """Return the prompt's versions that are not deleted, locked."""
    mine = (PromptVersion.prompt_id == prompt_id, PromptVersion.status != PromptStatus.DELETED)
    return (await session.scalars(select(PromptVersion).where(*mine).with_for_update())).all()


async def is_taken(session: ReadSession, bud_prompt_id: str) -> bool:
    """Tell whether budprompt keeps something of anybody's under the id."""
    prompts = select(Prompt.id).where(Prompt.bud_prompt_id == bud_prompt_id, Prompt.status != PromptStatus.DELETED)
    drafts = select(PromptDraft.id).where(PromptDraft.bud_prompt_id == bud_prompt_id)
    return bool(await session.scalar(select(or_(prompts.exists(), drafts.exists()))))


async def has_name(session: ReadSession, tenant_id: UUID, name: str) -> bool:
    """Tell whether the tenant has a prompt of the name."""
    live = (Prompt.tenant_id == tenant_id, Prompt.status != PromptStatus.DELETED)
    found = select(Prompt.id).where(*live, func.lower(Prompt.name) == name.lower())
    return bool(await session.scalar(select(found.exists())))


async def is_live(session: ReadSession, bud_prompt_id: str) -> bool:
    """Tell whether a prompt of anybody's has the id."""
    live = (Prompt.bud_prompt_id == bud_prompt_id, Prompt.status != PromptStatus.DELETED)
    return bool(await session.scalar(select(select(Prompt.id).where(*live).exists())))


async def uses(session: ReadSession, endpoint_id: UUID) -> str | None:
    """Return the name of a prompt that a deployment answers."""
    statement = (
        select(Prompt.name)
        .join(PromptVersion, PromptVersion.prompt_id == Prompt.id)
        .where(
            PromptVersion.endpoint_id == endpoint_id,
            PromptVersion.status != PromptStatus.DELETED,
            Prompt.status != PromptStatus.DELETED,
        )
        .limit(1)
    )
    name: str | None = await session.scalar(statement)
    return name


async def claim_draft(
    session: WriteSession, caller: Caller, bud_prompt_id: str, version: int, endpoint_id: UUID | None, ends: datetime
) -> bool | None:
    """Note in one statement that a draft is the caller's until then; where it is somebody else's, nothing happens.

    The table itself is changed, past the ORM: drafts are saved every few seconds.

    Returns:
        Whether it is new; None where it is somebody else's.
    """
    return await keep_draft(
        session,
        tenant_id=caller.tenant_id,
        user_id=caller.user_id,
        bud_prompt_id=bud_prompt_id,
        version=version,
        endpoint_id=endpoint_id,
        ends=ends,
    )


async def keep_draft(
    session: WriteSession,
    *,
    tenant_id: UUID,
    user_id: UUID,
    bud_prompt_id: str,
    version: int,
    endpoint_id: UUID | None,
    ends: datetime,
) -> bool | None:
    """Do what `claim_draft` says for a user of the tenant."""
    table: Any = PromptDraft.__table__
    owner = {"tenant_id": tenant_id, "created_by": user_id}
    row = {"bud_prompt_id": bud_prompt_id, "version": version, "endpoint_id": endpoint_id, "expires_at": ends, **owner}
    new = insert(table).values(row)
    kept = func.coalesce(new.excluded.endpoint_id, table.c.endpoint_id)
    changes = {"version": version, "endpoint_id": kept, "expires_at": ends, "modified_at": now()}
    mine = (table.c.created_by == user_id) | (table.c.expires_at < now())
    statement: Any = new.on_conflict_do_update(
        index_elements=["bud_prompt_id"], set_={**changes, **owner}, where=mine
    ).returning(literal_column("xmax = 0"))
    found: bool | None = await session.scalar(statement)
    return found


async def draft_of(session: ReadSession, caller: Caller, bud_prompt_id: str) -> PromptDraft | None:
    """Return the caller's draft of this id, unless it is over."""
    found: PromptDraft | None = await session.scalar(_mine(caller).where(PromptDraft.bud_prompt_id == bud_prompt_id))
    return found


async def drafts_of(session: ReadSession, caller: Caller, ids: Collection[str]) -> Sequence[PromptDraft]:
    """Return those of the caller's drafts that have these ids."""
    return (await session.scalars(_mine(caller).where(PromptDraft.bud_prompt_id.in_(ids)))).all()


def _mine(caller: Caller) -> Select[Any]:
    return select(PromptDraft).where(
        PromptDraft.created_by == caller.user_id,
        PromptDraft.tenant_id == caller.tenant_id,
        PromptDraft.expires_at > now(),
    )


async def forget_drafts(session: WriteSession, user_id: UUID, ids: Collection[str]) -> Sequence[str]:
    """Delete the user's drafts of these ids, past the ORM, and return the ids of those that there were."""
    table = PromptDraft.__table__
    mine = (table.c.created_by == user_id, table.c.bud_prompt_id.in_(ids))
    statement: Any = delete(table).where(*mine)  # type: ignore[arg-type]
    return list(await session.scalars(statement.returning(table.c.bud_prompt_id)))


async def purge_drafts(session: WriteSession) -> None:
    """Delete drafts that are over, past the ORM; their entries at the gateway have ended by themselves."""
    table = PromptDraft.__table__
    await session.execute(delete(table).where(table.c.expires_at < now()))  # type: ignore[arg-type]
