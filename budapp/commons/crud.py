"""What the crud of every domain shares: which rows a caller may see, prepared statements, and pages."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, ClassVar, Generic, TypeVar, TypeVarTuple, cast
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    BindParameter,
    Row,
    Select,
    TableValuedAlias,
    Text,
    Uuid,
    bindparam,
    column,
    func,
    literal_column,
    select,
)
from sqlalchemy.engine import URL
from sqlalchemy.orm import Session

from budapp.commons.access import Caller
from budapp.commons.database import Base, ReadSession
from budapp.commons.errors import NotFound
from budapp.commons.hooks import Hooks, hooks_of
from budapp.commons.paging import Columns, Order, Paging, after_cursor, encode_cursor, parse_order

ModelT = TypeVar("ModelT", bound=Base)
CrudT = TypeVar("CrudT", bound="Crud[Any]")
Arguments = TypeVarTuple("Arguments")

_DIALECT = URL.create("postgresql+asyncpg").get_dialect()()
_MAX_PREPARED = 500


@dataclass(frozen=True, slots=True)
class AnyCaller:
    """All that a prepared statement knows of its caller: the rights. The ids are bound when it is sent."""

    user_type: str
    scopes: frozenset[str]

    may = Caller.may
    is_client = Caller.is_client

    @property
    def tenant_id(self) -> BindParameter[UUID]:
        """Stand for the caller's tenant."""
        return bindparam("caller_tenant_id", type_=Uuid())

    @property
    def user_id(self) -> BindParameter[UUID]:
        """Stand for the caller."""
        return bindparam("caller_user_id", type_=Uuid())


@dataclass(frozen=True, slots=True)
class Unbound:
    """Stands for the session while a statement is prepared."""

    hooks: Hooks

    @property
    def info(self) -> dict[str, Hooks]:
        """What a session carries."""
        return {"hooks": self.hooks}


class Prepared:
    """A select that is built and compiled once, and from then on only sent: that is most of the time of a short read.

    It is sent as text, so it yields columns, never entities, and takes plain values only (no `IN` of many).
    """

    __slots__ = ("_defaults", "_names", "_sql", "statement")

    def __init__(self, statement: Select[Any]) -> None:
        compiled = statement.compile(dialect=_DIALECT)
        self.statement = statement
        self._sql = str(compiled)
        self._defaults = {name: bind.value for bind, name in compiled.bind_names.items() if not bind.required}
        self._names = compiled.positiontup or []

    async def rows(self, session: ReadSession, values: Mapping[str, Any]) -> Sequence[Row[Any]]:
        """Send it with the values, in the session's transaction.

        Raises:
            KeyError: a parameter has no value.
        """
        known = {**self._defaults, **values}
        parameters = tuple(known[name] for name in self._names)

        def send(session: Session) -> Sequence[Row[Any]]:
            if session.autoflush:
                session.flush()
            return session.connection().exec_driver_sql(self._sql, parameters).all()

        return await session.run_sync(send)


@dataclass(frozen=True, slots=True)
class Bound:
    """A prepared statement with the caller that it is sent for."""

    prepared: Prepared
    values: Mapping[str, Any]

    async def rows(self, session: ReadSession, **values: Any) -> Sequence[Row[Any]]:
        """Send it with the caller's ids and the values of the parameters that the domain has named."""
        return await self.prepared.rows(session, {**self.values, **values})


def prepared(build: Callable[[CrudT, *Arguments], Select[Any]]) -> Callable[[CrudT, *Arguments], Bound]:
    """Have what a crud method builds prepared once for all callers with the same rights, and the same arguments.

    The method sees an `AnyCaller`, so that nothing of one person gets into another's statement. Its arguments are kept
    with the statement: pass what changes its shape, and name the rest with `bindparam`.
    """

    @lru_cache(_MAX_PREPARED)
    def made(crud: Callable[..., Any], hooks: Hooks, caller: AnyCaller, arguments: tuple[*Arguments]) -> Prepared:
        return Prepared(build(crud(Unbound(hooks), caller), *arguments))

    def bound(self: CrudT, *arguments: *Arguments) -> Bound:
        caller = self.caller
        rights = AnyCaller(caller.user_type, caller.scopes)
        statement = made(cast("Hashable", type(self)), self.hooks, rights, arguments)
        return Bound(statement, {"caller_tenant_id": caller.tenant_id, "caller_user_id": caller.user_id})

    return bound


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

    @property
    def hooks(self) -> Hooks:
        """The hooks of the application."""
        return hooks_of(self.session)

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
            raise NotFound(f"There is no such {self.model.__tablename__.replace('_', ' ')}")
        return row

    async def page(
        self, paging: Paging, statement: Select[Any] | Bound, sortable: Columns, default: str = "-created_at"
    ) -> Page:
        """Return one page of the statement's rows, in one round trip."""
        return await fetch_page(self.session, paging, statement, sortable, default)


async def fetch_page(
    session: ReadSession,
    paging: Paging,
    statement: Select[Any] | Bound,
    sortable: Columns,
    default: str = "-created_at",
) -> Page:
    """Return one page of the statement's rows and their number, in one round trip.

    The statement's columns must include the ones of `sortable` under their names, `id` among them.
    """
    orders = tuple(parse_order(paging.order_by, sortable, default))
    found = await _rows_of(session, paging, statement, orders)
    rows = found[: paging.limit]
    more = len(found) > paging.limit and rows
    next_cursor = encode_cursor(orders, rows[-1]._mapping) if more else None
    if found:
        return Page(paging, rows, found[0]._total, next_cursor)
    beyond = paging.page > 1 or paging.cursor
    return Page(paging, rows, await session.scalar(_total(_select_of(statement))) or 0 if beyond else 0, None)


async def _rows_of(
    session: ReadSession, paging: Paging, statement: Select[Any] | Bound, orders: tuple[Order, ...]
) -> Sequence[Row[Any]]:
    """Return the rows of the page and one more, if there is one."""
    skips = paging.offset > 0 and not paging.cursor
    if isinstance(statement, Bound) and not paging.cursor:
        page = Bound(_prepared_page(statement.prepared, orders, paging.limit, skips), statement.values)
        return await page.rows(session, page_offset=paging.offset)
    select_page = (
        _page_of_search(_select_of(statement), orders, paging)
        if paging.search
        else _page_of_all(_select_of(statement), orders, paging, skips)
    )
    rows: Sequence[Row[Any]] = (await session.execute(select_page)).all()
    return rows


def _page_of_all(statement: Select[Any], orders: tuple[Order, ...], paging: Paging, skips: bool) -> Select[Any]:
    page = _page(statement, orders, paging.limit, skips, paging.offset)
    return page.where(after_cursor(orders, paging.cursor)) if paging.cursor else page


def _page_of_search(statement: Select[Any], orders: tuple[Order, ...], paging: Paging) -> Select[Any]:
    """Return the select of one page of what a search finds: texts are looked through once, for page and count."""
    wanted = (order.column.label(order.name) for order in orders)
    found = statement.with_only_columns(*wanted, maintain_column_froms=True).order_by(None).cte("found")
    of_found = [replace(order, column=found.c[order.name]) for order in orders]
    ids = (
        select(found.c.id)
        .order_by(*(order.clause() for order in of_found))
        .limit(literal_column(str(paging.limit + 1)))
    )
    ids = ids.where(after_cursor(of_found, paging.cursor)) if paging.cursor else ids.offset(paging.offset)
    key = next(order.column for order in orders if order.name == "id")
    total = select(func.count()).select_from(found).scalar_subquery().label("_total")
    return statement.where(key.in_(ids)).order_by(*(order.clause() for order in orders)).add_columns(total)


def _select_of(statement: Select[Any] | Bound) -> Select[Any]:
    return statement.prepared.statement.params(statement.values) if isinstance(statement, Bound) else statement


@lru_cache(_MAX_PREPARED)
def _prepared_page(statement: Prepared, orders: tuple[Order, ...], limit: int, skips: bool) -> Prepared:
    return Prepared(_page(statement.statement, orders, limit, skips))


def _page(statement: Select[Any], orders: tuple[Order, ...], limit: int, skips: bool, offset: int = 0) -> Select[Any]:
    """Return the select of one page, with the number of all rows beside each row."""
    # The limit is spelled out: PostgreSQL keeps no plan for a limit that it has to guess, and would plan every time.
    ordered = statement.order_by(*(order.clause() for order in orders)).limit(literal_column(str(limit + 1)))
    if skips:
        # The rows that are skipped are only counted off, not worked out in full.
        key = next(order.column for order in orders if order.name == "id")
        ids = ordered.with_only_columns(key).offset(bindparam("page_offset", offset, BigInteger))
        ordered = ordered.where(key.in_(ids))
    return ordered.add_columns(_total(statement).scalar_subquery().label("_total"))


def _total(statement: Select[Any]) -> Select[Any]:
    counted: Select[Any] = statement.with_only_columns(literal_column("1"), maintain_column_froms=True).order_by(None)
    return select(func.count().label("_total")).select_from(counted.subquery())


def named_colors(tags: Any) -> TableValuedAlias:
    """Return the entries of a JSONB column `[{"name": ..., "color": ...}]` as a table to join."""
    entries = func.jsonb_to_recordset(tags).table_valued(column("name", Text), column("color", Text))
    return entries.render_derived(name="tag", with_types=True)
