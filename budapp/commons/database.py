"""Engines, sessions, and the base of all tables.

A request is one unit of work: `Write` commits before the answer leaves and rolls back when anything raises. `Read`
runs on connections that PostgreSQL itself holds read-only, each statement on its own, so that a read costs no round
trip for BEGIN and ROLLBACK.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, NewType
from uuid import UUID

from fastapi import Depends, Request
from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Connection,
    DateTime,
    ForeignKey,
    MetaData,
    any_,
    event,
    literal,
    literal_column,
    text,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, ORMExecuteState, Session, mapped_column
from sqlalchemy.pool import AsyncAdaptedQueuePool, PoolProxiedConnection
from uuid_utils.compat import uuid7

from budapp.commons.config import Settings, audit_keys_of, parse_encryption_keys
from budapp.commons.domain import components_of
from budapp.commons.encryption import Encryption
from budapp.commons.errors import AppError
from budapp.commons.hooks import Hooks
from budapp.commons.logging import get_logger
from budapp.commons.outages import POSTGRESQL, log_failure, outages
from budapp.commons.postgresql import connect_arguments, database_url, engine_arguments, limits_of
from budapp.commons.reading import ReadPool
from budapp.commons.signing import Keys

logger = get_logger(__name__)

_ROLLBACK_SECONDS = 2

ReadSession = NewType("ReadSession", AsyncSession)
WriteSession = NewType("WriteSession", ReadSession)

Callback = Callable[[], Awaitable[None]]


def now() -> datetime:
    """Return the present moment in UTC."""
    return datetime.now(UTC)


def not_deleted(model: type[Any]) -> ColumnElement[bool]:
    """Return the condition that a row with a `status` is not deleted.

    It is text rather than a parameter, so that partial indexes, which are made with it, serve prepared statements too.
    """
    condition: ColumnElement[bool] = model.status != literal_column("'deleted'")
    return condition


def among(column: Any, values: Iterable[Any]) -> ColumnElement[bool]:
    """Return the condition that the column has one of the values, however many there are.

    They are one parameter. With `in_` each is a parameter of its own, and SQLAlchemy writes the statement anew for each
    execution: of some thousand values that takes tens of milliseconds, during which the event loop stands still.
    """
    condition: ColumnElement[bool] = column == any_(literal(list(values), ARRAY(column.type)))
    return condition


class Base(DeclarativeBase):
    """A table with an id that grows with time (UUID version 7) and the moments of its making and last change."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: DateTime(timezone=True)}

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    created_at: Mapped[datetime] = mapped_column(default=now)
    modified_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)


class TenantOwned:
    """Rows that belong to one tenant; `Crud.visible` filters on it."""

    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenant.id"))


class LazySession(AsyncSession):
    """A session that can only read, made when something asks for it: prepared statements go past it, to `reads`.

    Making and closing a session costs as much as a short statement.
    """

    def __init__(self, engine: AsyncEngine, reads: ReadPool, info: dict[str, Any]) -> None:
        self.reads = reads
        self._engine = engine
        self._info = info

    def __getattr__(self, name: str) -> Any:
        """Make the session, where `name` is one of the attributes that it has from then on."""
        if name.startswith("__") or "sync_session" in self.__dict__:
            raise AttributeError(name)
        super().__init__(self._engine, expire_on_commit=False, autoflush=False, info=self._info)
        return getattr(self, name)

    @property
    def info(self) -> dict[Any, Any]:
        """What the session carries."""
        return self.sync_session.info if "sync_session" in self.__dict__ else dict(self._info)

    async def close(self) -> None:
        """Give the connection back, if there is one."""
        if "sync_session" in self.__dict__:
            await super().close()


class _Pool(AsyncAdaptedQueuePool):
    """SQLAlchemy's pool, which knows how many wait for a connection."""

    waiting = 0

    def connect(self) -> PoolProxiedConnection:
        """Return a connection."""
        self.waiting += 1
        try:
            return super().connect()
        finally:
            self.waiting -= 1


@dataclass(frozen=True, slots=True)
class PoolState:
    """How many connections of a pool are in use and idle, and how many wait for one."""

    name: str
    in_use: int
    idle: int
    waiting: int


class Database:
    """The pools of a process: one that writes, and two that PostgreSQL keeps from writing, with the ORM and without."""

    def __init__(self, settings: Settings, hooks: Hooks | None = None) -> None:
        self._settings = settings
        info = {"hooks": hooks or Hooks()}
        self.engine = self._engine(read_only=False)
        self.read_engine = self._engine(read_only=True)
        limits = limits_of(settings) if settings.psql_transaction_pooler else None
        arguments = connect_arguments(settings, read_only=True)
        self.reads = ReadPool(database_url(settings), settings.psql_pool_size, arguments, limits)
        self.encryption = Encryption(parse_encryption_keys(settings.encryption_keys))
        self.audit_keys = Keys(audit_keys_of(settings))
        self.session_class: type[Session] = type("UnitOfWork", (Session,), {})
        """Whose events are those of this application's units of work alone."""
        self._sessions = async_sessionmaker(
            self.engine,
            sync_session_class=self.session_class,
            expire_on_commit=False,
            info={**info, "encryption": self.encryption, "audit_keys": self.audit_keys},
        )
        self._read_info = info

    def _engine(self, *, read_only: bool) -> AsyncEngine:
        size = self._settings.psql_pool_size
        pooler = self._settings.psql_transaction_pooler
        engine = create_async_engine(
            database_url(self._settings),
            pool_size=max(1, size // 2) if read_only else size,  # most reads are prepared, and go over `reads`
            max_overflow=0,  # an overflowing connection is closed after each use: under load, a sign-in per request
            pool_use_lifo=True,  # the same few connections, with their prepared statements, as long as they suffice
            poolclass=_Pool,
            pool_timeout=self._settings.psql_timeout_seconds,
            isolation_level="AUTOCOMMIT" if read_only and not pooler else "READ COMMITTED",
            execution_options={"postgresql_readonly": read_only} if pooler else {},
            connect_args=connect_arguments(self._settings, read_only=read_only) | engine_arguments(self._settings),
        )
        if pooler:
            event.listen(engine.sync_engine, "begin", self._limit)
        return engine

    def _limit(self, connection: Connection) -> None:
        """Set the time limits for one transaction, as the next one may be on another connection of the pooler."""
        limits = (f"set_config('{name}', '{value}', true)" for name, value in limits_of(self._settings).items())
        connection.exec_driver_sql(f"select {', '.join(limits)}")

    @asynccontextmanager
    async def write(self) -> AsyncIterator[WriteSession]:
        """Open a unit of work: committed at the end, rolled back when anything raises."""
        async with self._sessions() as session:
            try:
                yield WriteSession(ReadSession(session))
                await session.commit()
                outages.answered(POSTGRESQL)
            except BaseException:
                try:
                    await _roll_back(session)
                finally:
                    await _take_back(session)
                raise
        await _tell(session)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[ReadSession]:
        """Open a session that can only read."""
        session = self.read_session()
        try:
            yield session
        finally:
            await session.close()

    def read_session(self) -> ReadSession:
        """Return a session that can only read; whoever asks closes it."""
        return ReadSession(LazySession(self.read_engine, self.reads, self._read_info))

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[ReadSession]:
        """Open a session that sees all as it is now for as long as it lasts; for streams of many rows."""
        async with self.engine.connect() as connection:
            still = await connection.execution_options(isolation_level="REPEATABLE READ")
            async with AsyncSession(still) as session:
                yield ReadSession(session)

    def pools(self) -> list[PoolState]:
        """Return how the three pools are."""
        engines = {"write": self.engine.pool, "read": self.read_engine.pool}
        states = [
            PoolState(name, pool.checkedout(), pool.checkedin(), pool.waiting)
            for name, pool in engines.items()
            if isinstance(pool, _Pool)
        ]
        return [*states, PoolState("prepared", *self.reads.connections, self.reads.waiting)]

    async def healthy(self) -> bool:
        """Tell whether PostgreSQL answers."""
        try:
            async with self.read() as session:
                await session.execute(text("select 1"))
        except (DBAPIError, PoolTimeout, OSError):
            return False
        return True

    async def dispose(self) -> None:
        """Close all connections."""
        await self.engine.dispose()
        await self.read_engine.dispose()
        await self.reads.close()


async def _tell(session: AsyncSession) -> None:
    """Run the callbacks; one that fails keeps back neither the others nor the answer to what is committed."""
    for callback in session.info.pop("after_commit", []):
        try:
            await callback()
        except Exception as error:  # noqa: BLE001 - a boundary: what is committed has succeeded
            log_failure(logger, "after_commit_failed", error)


async def _roll_back(session: AsyncSession) -> None:
    """Roll back; where that fails or takes long, the connection is closed, upon which the server does it."""
    with suppress(TimeoutError, DBAPIError):
        async with asyncio.timeout(_ROLLBACK_SECONDS):
            await session.rollback()


async def _take_back(session: AsyncSession) -> None:
    """Run the callbacks, the last one first; one that fails hides neither the others nor what went wrong before."""
    for callback in reversed(session.info.pop("after_rollback", [])):
        try:
            await callback()
        except AppError as error:
            logger.warning("take_back_failed", reason=repr(error))
        except Exception as error:  # noqa: BLE001 - a boundary: what went wrong before is what is answered
            log_failure(logger, "take_back_failed", error)


def after_commit(session: WriteSession, callback: Callback) -> None:
    """Run the callback once the unit of work is committed.

    Only for what may be lost with the process, such as dropping a cached value; whatever must happen goes through
    the outbox.
    """
    session.info.setdefault("after_commit", []).append(callback)


def after_rollback(session: WriteSession, callback: Callback) -> None:
    """Run the callback if the unit of work fails: to take back what was done outside the database for it."""
    session.info.setdefault("after_rollback", []).append(callback)


def hold(session: WriteSession) -> None:
    """Keep the transaction open until the end of the unit of work, whatever asks to `release` it: it holds a lock."""
    session.info["held"] = True


async def release(session: ReadSession) -> None:
    """Give the connection back before slow work outside; the session can be used again afterwards.

    What was read stays readable, but is no longer followed: read it again to change it. Does nothing once the unit of
    work has written something, or is on `hold`.
    """
    if "held" not in session.info:
        session.expunge_all()
        await session.rollback()


@event.listens_for(Session, "after_flush")
def _hold_after_flush(session: Session, _context: object) -> None:
    session.info["held"] = True


@event.listens_for(Session, "do_orm_execute")
def _hold_after_statement(state: ORMExecuteState) -> None:
    if not state.is_select:
        state.session.info["held"] = True


async def open_write(request: Request) -> AsyncIterator[WriteSession]:
    """Give a route its unit of work: the one that is open for the whole request already, or one of its own."""
    shared: WriteSession | None = request.scope.get("unit_of_work")
    if shared is not None:
        yield shared
        return
    async with components_of(request)[Database].write() as session:
        yield session


async def open_read(request: Request) -> AsyncIterator[ReadSession]:
    """Give a route a session that can only read."""
    session = components_of(request)[Database].read_session()
    try:
        yield session
    finally:
        await session.close()


Write = Annotated[WriteSession, Depends(open_write, scope="function")]
Read = Annotated[ReadSession, Depends(open_read, scope="function")]
