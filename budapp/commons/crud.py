"""What the crud of every domain shares: which rows a caller may see, and how they come in pages."""

from collections.abc import Sequence
from typing import Any, ClassVar, Generic, TypeVar
from uuid import UUID

from sqlalchemy import BigInteger, Row, Select, func, literal, literal_column, select

from budapp.commons.access import Caller
from budapp.commons.database import Base, ReadSession
from budapp.commons.errors import NotFound
from budapp.commons.paging import Columns, Paging, after_cursor, encode_cursor, parse_order

ModelT = TypeVar("ModelT", bound=Base)


class Page:
    """The rows of one page, the number of all rows, and the cursor of the next page."""

    __slots__ = ("next_cursor", "paging", "rows", "total")

    def __init__(self, paging: Paging, rows: Sequence[Row[Any]], total: int, next_cursor: str | None) -> None:
        self.paging = paging
        self.rows = rows
        self.total = total
        self.next_cursor = next_cursor

    def envelope(self) -> dict[str, Any]:
        """Return what a `PageAnswer` says beside the rows."""
        return {
            "page": self.paging.page,
            "limit": self.paging.limit,
            "total_record": self.total,
            "next_cursor": self.next_cursor,
        }


class Crud(Generic[ModelT]):
    """Statements on one table, for one caller. Every statement starts at `visible`."""

    model: ClassVar[type[Any]]
    deleted_status: ClassVar[str | None] = "deleted"

    def __init__(self, session: ReadSession, caller: Caller) -> None:
        self.session = session
        self.caller = caller

    def reach(self) -> list[Any]:
        """Return the conditions for the rows that the caller may see; a domain adds its own."""
        conditions = [self.model.tenant_id == self.caller.tenant_id]
        if self.deleted_status is not None:
            # Spelled out rather than bound, so that partial indexes on the living rows serve prepared statements too.
            conditions.append(self.model.status != literal_column(f"'{self.deleted_status}'"))
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
            raise NotFound(f"There is no such {self.model.__tablename__}")
        return row

    async def page(
        self, paging: Paging, statement: Select[Any], sortable: Columns, default: str = "-created_at"
    ) -> Page:
        """Return one page of the statement's rows, in one round trip."""
        return await fetch_page(self.session, paging, statement, sortable, default)


async def fetch_page(
    session: ReadSession, paging: Paging, statement: Select[Any], sortable: Columns, default: str = "-created_at"
) -> Page:
    """Return one page of the statement's rows and their number, in one round trip.

    The statement's columns must include the ones of `sortable` under their names, `id` among them.
    """
    orders = parse_order(paging.order_by, sortable, default)
    counted: Select[Any] = statement.with_only_columns(literal_column("1"), maintain_column_froms=True).order_by(None)
    total = select(func.count()).select_from(counted.subquery())
    ordered = statement.order_by(*(order.clause() for order in orders)).limit(paging.limit + 1)
    if paging.cursor:
        ordered = ordered.where(after_cursor(orders, paging.cursor))
    elif paging.offset:
        # The rows that are skipped are only counted off, not worked out in full.
        ids = ordered.with_only_columns(sortable["id"]).offset(literal(paging.offset, BigInteger))
        ordered = ordered.where(sortable["id"].in_(ids))
    found = (await session.execute(ordered.add_columns(total.scalar_subquery().label("_total")))).all()
    rows = found[: paging.limit]
    more = len(found) > paging.limit and rows
    next_cursor = encode_cursor(orders, rows[-1]._mapping) if more else None
    if found:
        return Page(paging, rows, found[0]._total, next_cursor)
    return Page(paging, rows, await session.scalar(total) or 0 if paging.page > 1 or paging.cursor else 0, None)
