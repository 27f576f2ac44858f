from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.dialects.postgresql import insert

from budapp.commons.access import Caller
from budapp.commons.crud import Crud
from budapp.commons.database import ReadSession, WriteSession
from budapp.commons.errors import NotFound
from budapp.commons.scopes import Scope
from budapp.pipeline_ops.models import PartKind, Pipeline, PipelinePart


class PipelineCrud(Crud[Pipeline]):
    """The pipelines of the caller; for those who manage users, of everyone in the tenant."""

    model = Pipeline
    soft_deleted = False

    def reach(self) -> list[Any]:
        """Add whose pipelines they are."""
        mine = [] if self.caller.may(Scope.USER_MANAGE) else [Pipeline.created_by == self.caller.user_id]
        return [*super().reach(), *mine]

    async def owners(self) -> dict[UUID, UUID]:
        """Return who made each pipeline in reach, by its id."""
        rows = await self.session.execute(self.visible(Pipeline.id, Pipeline.created_by))
        return {row[0]: row[1] for row in rows}


class PartCrud(Crud[PipelinePart]):
    """What the caller has begun or set up, and what belongs to a pipeline in their reach."""

    model = PipelinePart
    soft_deleted = False

    def __init__(self, session: ReadSession, caller: Caller, kind: PartKind) -> None:
        super().__init__(session, caller)
        self._kind = kind

    def reach(self) -> list[Any]:
        """Add the kind, and whose they are."""
        conditions = [*super().reach(), PipelinePart.kind == self._kind]
        if not self.caller.may(Scope.USER_MANAGE):
            pipelines = select(Pipeline.id).where(*PipelineCrud(self.session, self.caller).reach())
            mine = PipelinePart.created_by == self.caller.user_id
            conditions.append(or_(mine, PipelinePart.pipeline_id.in_(pipelines)))
        return conditions

    async def get_part(self, id: UUID, *, for_update: bool = False) -> PipelinePart:
        """Return the row, or raise `NotFound`, which names the kind."""
        try:
            return await self.get(id, for_update=for_update)
        except NotFound:
            raise NotFound(f"{self._kind.replace('_', ' ').capitalize()} not found") from None

    async def pipelines_of(self, ids: Collection[UUID]) -> dict[UUID, UUID | None]:
        """Return the pipeline of each of these that is in reach, by the part's id."""
        wanted = self.visible(PipelinePart.id, PipelinePart.pipeline_id).where(PipelinePart.id.in_(ids))
        return {row[0]: row[1] for row in await self.session.execute(wanted)}


async def note_pipelines(session: WriteSession, caller: Caller, names: Mapping[UUID, str]) -> None:
    """Write down that these are the caller's, but for those of which it is known whose they are."""
    rows = [{"id": known_id, "name": name, **_owned(caller)} for known_id, name in names.items()]
    if rows:
        await session.execute(insert(Pipeline).values(rows).on_conflict_do_nothing(index_elements=["id"]))


async def note_part(
    session: WriteSession, caller: Caller, kind: PartKind, id: UUID, pipeline_id: UUID | None, name: str
) -> None:
    """Write down that the caller has begun this, or set it up; what is known already is left as it is."""
    row = {"id": id, "kind": kind, "name": name, "pipeline_id": pipeline_id, **_owned(caller)}
    await session.execute(insert(PipelinePart).values(row).on_conflict_do_nothing(index_elements=["id"]))


async def note_parts(session: WriteSession, kind: PartKind, found: Sequence[tuple[UUID, UUID, str]]) -> None:
    """Write down which pipelines parts belong to, given as their id, that of the pipeline, and their name.

    They are the pipeline's maker's. What is known already is left as it is, and so is what has no pipeline any more.
    """
    asked = {pipeline_id for _, pipeline_id, _ in found}
    known = {row.id: row for row in await session.scalars(select(Pipeline).where(Pipeline.id.in_(asked)))}
    rows = [
        {"id": part_id, "kind": kind, "name": name, "pipeline_id": pipeline_id, **_owned_like(known[pipeline_id])}
        for part_id, pipeline_id, name in found
        if pipeline_id in known
    ]
    if rows:
        await session.execute(insert(PipelinePart).values(rows).on_conflict_do_nothing(index_elements=["id"]))


def _owned(caller: Caller) -> dict[str, UUID]:
    return {"tenant_id": caller.tenant_id, "created_by": caller.user_id}


def _owned_like(pipeline: Pipeline) -> dict[str, UUID]:
    return {"tenant_id": pipeline.tenant_id, "created_by": pipeline.created_by}
