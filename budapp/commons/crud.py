"""What the crud of every domain starts from: which rows a caller may see, prepared statements, and pages."""

from typing import Any, ClassVar, Generic, TypeVar
from uuid import UUID

from sqlalchemy import Select, TableValuedAlias, Text, column, func, select

from budapp.commons.access import Caller
from budapp.commons.database import Base, ReadSession, not_deleted
from budapp.commons.errors import NotFound
from budapp.commons.hooks import Hooks, hooks_of
from budapp.commons.pages import Page, fetch_page
from budapp.commons.paging import Columns, Paging
from budapp.commons.prepared import Bound, Prepared, prepared

__all__ = ["Bound", "Crud", "Page", "Prepared", "fetch_page", "named_colors", "prepared"]

ModelT = TypeVar("ModelT", bound=Base)


class Crud(Generic[ModelT]):
    """Statements on one table, for one caller. Every statement starts at `visible`."""

    model: ClassVar[type[Any]]
    soft_deleted: ClassVar[bool] = True
    """Whether rows are deleted by their `status`, and are then out of reach."""

    def __init__(self, session: ReadSession, caller: Caller) -> None:
        self.session = session
        self.caller = caller

    @property
    def hooks(self) -> Hooks:
        """The hooks of the application."""
        return hooks_of(self.session)

    def reach(self) -> list[Any]:
        """Return the conditions for the rows that the caller may see; a domain adds its own."""
        conditions = [self.model.tenant_id == self.caller.tenant_id]
        if self.soft_deleted:
            conditions.append(not_deleted(self.model))
        return conditions

    def visible(self, *entities: Any) -> Select[Any]:
        """Return a select of the rows that the caller may see: whole rows, or the columns given."""
        return select(*(entities or (self.model,))).select_from(self.model).where(*self.reach())

    async def get(self, id: UUID, *, for_update: bool = False) -> ModelT:
        """Return the row, locked until the commit where asked.

        Raises:
            NotFound: no such row, or none that the caller may see.
        """
        statement = self.visible().where(self.model.id == id)
        if for_update:
            statement = statement.with_for_update(of=self.model).execution_options(populate_existing=True)
        row: ModelT | None = await self.session.scalar(statement)
        if row is None:
            raise NotFound(f"{self.model.__tablename__.replace('_', ' ').capitalize()} not found")
        return row

    async def page(
        self, paging: Paging, statement: Select[Any] | Bound, sortable: Columns, default: str = "-created_at"
    ) -> Page:
        """Return one page of the statement's rows, in one round trip."""
        return await fetch_page(self.session, paging, statement, sortable, default)


def named_colors(tags: Any) -> TableValuedAlias:
    """Return the entries of a JSONB column `[{"name": ..., "color": ...}]` as a table to join."""
    entries = func.jsonb_to_recordset(tags).table_valued(column("name", Text), column("color", Text))
    return entries.render_derived(name="tag", with_types=True)
