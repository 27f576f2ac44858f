"""`Idempotency-Key`: a client that did not hear the answer to a POST may send it again and gets that same answer.

After the IETF draft "The Idempotency-Key HTTP Header Field". A key is reserved before the work, in a transaction of its
own, under a lease that another try takes over once it is over; no connection is held for it. What the request changes
and the record of its answer are one transaction: there is no moment at which one exists without the other. Where a
request works in several transactions, the first one writes down what it has opened (`name_resource`), and a request
that comes again goes on with that (`named_resource`).
"""

import hashlib
import re
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from fastapi import Request, Response
from fastapi.routing import APIRoute
from sqlalchemy import ColumnElement, Index, UniqueConstraint, and_, case, delete, null, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Mapped, mapped_column
from uuid_utils.compat import uuid7

from budapp.commons.access import Caller, access_of, authenticated
from budapp.commons.auditing import NotAudited
from budapp.commons.database import Database, WriteSession, now
from budapp.commons.domain import components_of
from budapp.commons.encrypted_columns import seal, sealed, unseal
from budapp.commons.encryption import Encryption
from budapp.commons.errors import Conflict, Unauthenticated, UnprocessableContent
from budapp.commons.http import unversioned_path
from budapp.commons.leases import Lease, LeasedRow, is_free, lease_of, taken
from budapp.commons.logging import get_logger

logger = get_logger(__name__)

HEADER = "Idempotency-Key"
KEPT_FOR = timedelta(hours=24)
LEASE = timedelta(seconds=30)
"""How long the key of a request whose process died is blocked; a live request that takes longer still ends well,
unless it was sent again meanwhile."""

_VALID_KEY = re.compile(r"[\x21-\x7e]{1,255}")

_PARAMETER = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "description": "Repeating a request with its key within 24 hours returns the first response and changes nothing.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
}

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class IdempotencyRecord(LeasedRow):
    """A key that came with a request: reserved under a lease while that is handled, then with the answer.

    Attributes:
        request_hash: tells whether it is the same request that comes again.
        resource_id: what a request that works in several transactions has opened.
        status: the answer's; None as long as there is none.
        expires_at: when the key may be used anew.
    """

    __tablename__ = "idempotency_record"
    audited = NotAudited("answers to requests that leave entries of their own")
    __table_args__ = (UniqueConstraint("tenant_id", "user_id", "key"),)

    tenant_id: Mapped[UUID]
    user_id: Mapped[UUID]
    key: Mapped[str]
    request_hash: Mapped[str]
    resource_id: Mapped[UUID | None]
    status: Mapped[int | None]
    content_type: Mapped[str | None]
    body_encrypted: Mapped[str | None] = sealed("idempotency:{tenant_id}:{user_id}:{key}")
    expires_at: Mapped[datetime] = mapped_column(default=lambda: now() + KEPT_FOR)


Index("ix_idempotency_record_expires_at", IdempotencyRecord.expires_at)

_reservation: ContextVar["_Reservation | None"] = ContextVar("idempotency_reservation", default=None)


def named_resource() -> UUID | None:
    """Return what an earlier try of this very request has opened and committed; None where there was none."""
    reservation = _reservation.get()
    return reservation.record.resource_id if reservation is not None else None


async def name_resource(session: WriteSession, resource_id: UUID) -> None:
    """Write down what the request has opened, in the very unit of work that opens it; nothing without a key.

    Raises:
        Conflict: the request was sent again meanwhile, and that one goes on.
    """
    reservation = _reservation.get()
    if reservation is not None and not await reservation.lease.change(session, resource_id=resource_id):
        raise _in_progress()


class IdempotentRoute(APIRoute):
    """The class of routes whose POST honours `Idempotency-Key`: `APIRouter(route_class=IdempotentRoute)`.

    `Write` gives the handler a unit of work in which the answer is recorded too. Without the header, or where nobody is
    signed in, the route works as any other.

    Raises:
        UnprocessableContent: the key is not 1 to 255 visible ASCII characters, or came with another request before.
        Conflict: a request with this key is still being handled.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        if "POST" in (options.get("methods") or ()):
            extra = options.get("openapi_extra") or {}
            options["openapi_extra"] = {**extra, "parameters": [*extra.get("parameters", []), _PARAMETER]}
        super().__init__(path, endpoint, **options)

    def get_route_handler(self) -> Handler:
        """Wrap what FastAPI builds for a POST; other methods are served as ever."""
        handle = super().get_route_handler()
        if "POST" not in (self.methods or ()):
            return handle

        async def handle_once(request: Request) -> Response:
            key = request.headers.get(HEADER)
            caller = await self._caller(request) if key is not None else None
            if key is None or caller is None or request.method != "POST":
                return await handle(request)
            if not _VALID_KEY.fullmatch(key):
                message = "An idempotency key is 1 to 255 visible ASCII characters"
                raise UnprocessableContent(message, param=HEADER, errors=_header_error(message))
            return await _Once(request, caller, key).run(handle)

        return handle_once

    async def _caller(self, request: Request) -> Caller | None:
        """Ask what the route asks before an answer is replayed; None where the caller is not a person."""
        access = access_of(self)
        if access is not None:
            await access(request)
        try:
            return await authenticated(request)
        except Unauthenticated:
            return None


@dataclass(frozen=True, slots=True)
class _Reservation:
    record: IdempotencyRecord
    lease: Lease


@dataclass(frozen=True, slots=True)
class _Once:
    request: Request
    caller: Caller
    key: str

    async def run(self, handle: Handler) -> Response:
        request_hash = await self._request_hash()
        async with self._database.write() as session:
            record = await self._reserve(session, request_hash)
            if record is None:
                return await self._replay(session, request_hash)
        reservation = _Reservation(record, lease_of(record))
        try:
            return await self._work(handle, reservation)
        except BaseException:
            await self._let_go(reservation.lease)
            raise

    async def _work(self, handle: Handler, reservation: _Reservation) -> Response:
        async with self._unit_of_work() as session:
            token = _reservation.set(reservation)
            try:
                response = await handle(self.request)
            finally:
                _reservation.reset(token)
            await self._record(session, reservation, response)
        return response

    @asynccontextmanager
    async def _unit_of_work(self) -> AsyncIterator[WriteSession]:
        """Open what `Write` gives the handler; it takes a connection once the handler uses it."""
        async with self._database.write() as session:
            self.request.scope["unit_of_work"] = session
            try:
                yield session
            finally:
                del self.request.scope["unit_of_work"]

    @property
    def _database(self) -> Database:
        return components_of(self.request)[Database]

    @property
    def _owner(self) -> dict[str, Any]:
        return {"tenant_id": self.caller.tenant_id, "user_id": self.caller.user_id, "key": self.key}

    async def _request_hash(self) -> str:
        request = self.request
        digest = hashlib.sha256()
        for part in (request.method, unversioned_path(request.scope), request.url.query):
            digest.update(part.encode() + b"\n")
        digest.update(await request.body())
        return digest.hexdigest()

    async def _reserve(self, session: WriteSession, request_hash: str) -> IdempotencyRecord | None:
        """Reserve the key, or take over what a try of the same request has left; None where the key is not free."""
        values = {"request_hash": request_hash, "expires_at": now() + KEPT_FOR, **taken(LEASE)}
        answer = {"status": None, "content_type": None, "body_encrypted": None}
        record = IdempotencyRecord
        expired = record.expires_at <= now()
        kept = {"resource_id": case((expired, null()), else_=record.resource_id)}
        left = and_(record.status.is_(None), record.request_hash == request_hash, is_free(record))
        statement = (
            insert(record)
            .values(id=uuid7(), **self._owner, **values)
            .on_conflict_do_update(
                index_elements=list(self._owner), set_={**values, **answer, **kept}, where=or_(expired, left)
            )
            .returning(record)
        )
        found: IdempotencyRecord | None = await session.scalar(statement)
        return found

    async def _replay(self, session: WriteSession, request_hash: str) -> Response:
        record = await session.scalar(select(IdempotencyRecord).filter_by(**self._owner))
        if record is not None and record.request_hash != request_hash:
            message = "This idempotency key came with another request before; use a new key"
            raise UnprocessableContent(message, param=HEADER, errors=_header_error(message))
        if record is None or record.status is None:
            raise _in_progress()
        encryption = components_of(self.request)[Encryption]
        body = unseal(encryption, record, IdempotencyRecord.body_encrypted).encode("latin-1")
        headers = {"Idempotent-Replayed": "true"}
        if record.content_type:
            headers["content-type"] = record.content_type
        return Response(body, record.status, headers)

    async def _record(self, session: WriteSession, reservation: _Reservation, response: Response) -> None:
        """Record the answer in the unit of work that it tells of, or let go of the key where it can't be recorded."""
        body = getattr(response, "body", None)
        if response.status_code >= 400 or not isinstance(body, bytes):
            settled = await reservation.lease.delete(session)
        else:
            encryption = components_of(self.request)[Encryption]
            seal(encryption, reservation.record, IdempotencyRecord.body_encrypted, body.decode("latin-1"))
            settled = await reservation.lease.settle(
                session,
                status=response.status_code,
                content_type=response.headers.get("content-type"),
                body_encrypted=reservation.record.body_encrypted,
            )
        if not settled:
            raise _in_progress()

    async def _let_go(self, lease: Lease) -> None:
        """Let the request come again at once; what it has opened already stays named."""
        nothing_opened: ColumnElement[bool] = IdempotencyRecord.resource_id.is_(None)
        try:
            async with self._database.write() as session:
                if not await lease.delete(session, nothing_opened):
                    await lease.settle(session)
        except (SQLAlchemyError, OSError) as error:
            logger.warning("idempotency_key_not_released", reason=repr(error))  # the lease ends by itself


def _in_progress() -> Conflict:
    error = Conflict("A request with this idempotency key is still being handled", param=HEADER)
    error.retry_after = 1
    return error


def _header_error(message: str) -> list[dict[str, Any]]:
    return [{"loc": ["header", HEADER], "msg": message, "type": "value_error"}]


async def purge_records(database: Database) -> None:
    """Delete the records whose time is over."""
    async with database.write() as session:
        await session.execute(delete(IdempotencyRecord).where(IdempotencyRecord.expires_at < now()))
