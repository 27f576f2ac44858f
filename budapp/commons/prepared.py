"""Statements that are built and compiled once, and from then on only sent: that is most of the time of a short read."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Protocol, Self, TypeVar, TypeVarTuple, cast
from uuid import UUID

from sqlalchemy import BindParameter, Row, Select, Uuid, bindparam
from sqlalchemy.engine import URL
from sqlalchemy.orm import Session

from budapp.commons.access import Caller
from budapp.commons.database import LazySession, ReadSession
from budapp.commons.hooks import Hooks
from budapp.commons.paging import Paging

_MAX_PREPARED = 100
"""How many statements of one method are kept: each takes some 35 KB, and clients choose their filters freely."""

_DIALECT = URL.create("postgresql+asyncpg").get_dialect()()

Arguments = TypeVarTuple("Arguments")


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
class AnyQuery:
    """All that a prepared statement knows of a list's query: which filters are given. They are bound when it is sent.

    A filter that is given is a parameter, one with several values a tuple of as many, and yes or no is itself; a filter
    that is not given is None. Page, order and cursor are not known, as `Crud.page` sees to them.
    """

    search: bool
    given: tuple[tuple[str, bool | int | None], ...]
    """Name, and yes or no, or the number of values, or None where there is just one."""

    @classmethod
    def of(cls, query: Paging) -> Self:
        """Return what a statement may know of the query."""
        return cls(query.search, tuple((name, _form(value)) for name, value in _filters_of(query)))

    def __getattr__(self, name: str) -> Any:
        if name in Paging.model_fields or name.startswith("_"):
            raise AttributeError(name)
        for known, form in self.given:
            if known == name:
                return self._parameter(name, form)
        return None

    @staticmethod
    def _parameter(name: str, form: bool | int | None) -> Any:
        if form is None:
            return bindparam(_key(name))
        return form if isinstance(form, bool) else tuple(bindparam(_key(name, number)) for number in range(form))


def _filters_of(query: Paging) -> list[tuple[str, Any]]:
    """Return the filters that are given."""
    names = type(query).model_fields.keys() - Paging.model_fields.keys()
    values = ((name, getattr(query, name)) for name in sorted(names))
    return [(name, value) for name, value in values if value is not None and value != []]


def _form(value: Any) -> bool | int | None:
    return value if isinstance(value, bool) else len(value) if isinstance(value, list) else None


def _key(name: str, number: int = 0) -> str:
    return f"query_{name}_{number}"


def _parameters_of(query: Paging) -> dict[str, Any]:
    """Return the value of each parameter that `AnyQuery` stands for."""
    lists = ((name, value if isinstance(value, list) else [value]) for name, value in _filters_of(query))
    return {_key(name, number): value for name, values in lists for number, value in enumerate(values)}


class Prepared:
    """A select that is built and compiled once.

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
        """Send it with the values: in the session's transaction, or where that only reads, past it.

        Raises:
            KeyError: a parameter has no value.
        """
        known = {**self._defaults, **values}
        parameters = tuple(known[name] for name in self._names)
        if isinstance(session, LazySession):
            # A record is read like a row: by the names of its columns.
            return cast("Sequence[Row[Any]]", await session.reads.fetch(self._sql, parameters))

        def send(session: Session) -> Sequence[Row[Any]]:
            if session.autoflush:
                session.flush()
            return session.connection().exec_driver_sql(self._sql, parameters).all()

        return await session.run_sync(send)


@dataclass(frozen=True, slots=True)
class Bound:
    """A prepared statement with the caller that it is sent for, and the values of the query, if it has one."""

    prepared: Prepared
    values: Mapping[str, Any]
    filtered: bool = False

    def given(self, **values: Any) -> "Bound":
        """Return it with the values of parameters that the domain has named."""
        return replace(self, values={**self.values, **values})

    async def rows(self, session: ReadSession, **values: Any) -> Sequence[Row[Any]]:
        """Send it with the values of the parameters that the domain has named, and return rows with named columns."""
        return await self.prepared.rows(session, {**self.values, **values})

    async def first(self, session: ReadSession, **values: Any) -> Row[Any] | None:
        """Return the first row, or None."""
        rows = await self.rows(session, **values)
        return rows[0] if rows else None


@dataclass(frozen=True, slots=True)
class Unbound:
    """Stands for the session while a statement is prepared."""

    hooks: Hooks

    @property
    def info(self) -> dict[str, Hooks]:
        """What a session carries."""
        return {"hooks": self.hooks}


class _OfCaller(Protocol):
    caller: Caller

    @property
    def hooks(self) -> Hooks: ...


OfCallerT = TypeVar("OfCallerT", bound=_OfCaller)


def prepared(build: Callable[[OfCallerT, *Arguments], Select[Any]]) -> Callable[[OfCallerT, *Arguments], Bound]:
    """Have what a crud method builds prepared once for all callers with the same rights, and the same arguments.

    The method sees an `AnyCaller`, and in place of a `Paging` an `AnyQuery`, so that nothing of one request gets into
    another's statement. Its other arguments are kept with the statement: pass what changes its shape, and name the rest
    with `bindparam`.
    """

    @lru_cache(_MAX_PREPARED)
    def made(crud: Callable[..., Any], hooks: Hooks, caller: AnyCaller, arguments: tuple[*Arguments]) -> Prepared:
        return Prepared(build(crud(Unbound(hooks), caller), *arguments))

    def bound(self: OfCallerT, *arguments: *Arguments) -> Bound:
        caller = self.caller
        rights = AnyCaller(caller.user_type, caller.scopes)
        shapes = tuple(AnyQuery.of(argument) if isinstance(argument, Paging) else argument for argument in arguments)
        statement = made(cast("Hashable", type(self)), self.hooks, rights, cast("Any", shapes))
        queries = [_parameters_of(argument) for argument in arguments if isinstance(argument, Paging)]
        values = {"caller_tenant_id": caller.tenant_id, "caller_user_id": caller.user_id}
        return Bound(statement, values | dict(*queries), filtered=any(queries))

    return bound
