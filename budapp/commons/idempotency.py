"""`Idempotency-Key`: a client that did not hear the answer to a POST may send it again and gets that same answer.

After the IETF draft "The Idempotency-Key HTTP Header Field". What the request changed and the record of its answer are
one transaction: there is no moment at which one exists without the other.
"""

import hashlib
import re
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from fastapi import Request, Response
from fastapi.routing import APIRoute
from sqlalchemy import Index, UniqueConstraint, delete, func, select
from sqlalchemy.orm import Mapped, mapped_column

from budapp.commons.access import Caller, access_of, authenticated
from budapp.commons.auditing import NotAudited
from budapp.commons.database import Base, Database, WriteSession, hold, now
from budapp.commons.domain import components_of
from budapp.commons.encrypted_columns import seal, sealed, unseal
from budapp.commons.encryption import Encryption
from budapp.commons.errors import Conflict, Unauthenticated, UnprocessableContent
from budapp.commons.http import unversioned_path

HEADER = "Idempotency-Key"
KEPT_FOR = timedelta(hours=24)

_VALID_KEY = re.compile(r"[\x21-\x7e]{1,255}")

_PARAMETER = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "description": "The same request with the same key within 24 hours is answered as before, and changes nothing.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
}

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class IdempotencyRecord(Base):
    """The answer to a request that may come again; `request_hash` tells whether it is the same one."""

    __tablename__ = "idempotency_record"
    audited = NotAudited("answers to requests that leave entries of their own")
    __table_args__ = (UniqueConstraint("tenant_id", "user_id", "key"),)

    tenant_id: Mapped[UUID]
    user_id: Mapped[UUID]
    key: Mapped[str]
    request_hash: Mapped[str]
    status: Mapped[int]
    content_type: Mapped[str | None]
    body_encrypted: Mapped[str] = sealed("idempotency:{tenant_id}:{user_id}:{key}")
    expires_at: Mapped[datetime] = mapped_column(default=lambda: now() + KEPT_FOR)


Index("ix_idempotency_record_expires_at", IdempotencyRecord.expires_at)


class IdempotentRoute(APIRoute):
    """The class of routes whose POST honours `Idempotency-Key`: `APIRouter(route_class=IdempotentRoute)`.

    The whole request is one unit of work then, from before the handler until its answer is recorded; `Write` gives the
    handler that one. Without the header, or where nobody is signed in, the route works as any other.

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
        """Wrap what FastAPI builds."""
        handle = super().get_route_handler()

        async def handle_once(request: Request) -> Response:
            key = request.headers.get(HEADER) if request.method == "POST" else None
            caller = await self._caller(request) if key is not None else None
            if key is None or caller is None:
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
class _Once:
    request: Request
    caller: Caller
    key: str

    async def run(self, handle: Handler) -> Response:
        database = components_of(self.request)[Database]
        request_hash = await self._request_hash()
        async with database.write() as session:
            await self._lock(session)
            earlier = await session.scalar(select(IdempotencyRecord).where(*self._mine()))
            if earlier is not None and earlier.expires_at > now():
                return self._replay(earlier, request_hash)
            self.request.scope["unit_of_work"] = session
            try:
                response = await handle(self.request)
                await self._record(session, response, request_hash)
            finally:
                del self.request.scope["unit_of_work"]
        return response

    def _mine(self) -> tuple[Any, ...]:
        record = IdempotencyRecord
        return (
            record.tenant_id == self.caller.tenant_id,
            record.user_id == self.caller.user_id,
            record.key == self.key,
        )

    @property
    def _name(self) -> str:
        return f"idempotency:{self.caller.tenant_id}:{self.caller.user_id}:{self.key}"

    async def _lock(self, session: WriteSession) -> None:
        """Lock the key until the end of the transaction, at once or not at all.

        Waiting would hold a connection for each repeated request, and they are few.
        """
        lock = func.pg_try_advisory_xact_lock(func.hashtextextended(self._name, 0))
        if not await session.scalar(select(lock)):
            error = Conflict("A request with this idempotency key is still being handled", param=HEADER)
            error.retry_after = 1
            raise error
        hold(session)

    async def _request_hash(self) -> str:
        request = self.request
        digest = hashlib.sha256()
        for part in (request.method, unversioned_path(request.scope), request.url.query):
            digest.update(part.encode() + b"\n")
        digest.update(await request.body())
        return digest.hexdigest()

    def _replay(self, record: IdempotencyRecord, request_hash: str) -> Response:
        if record.request_hash != request_hash:
            message = "This idempotency key came with another request before; use a new key"
            raise UnprocessableContent(message, param=HEADER, errors=_header_error(message))
        encryption = components_of(self.request)[Encryption]
        body = unseal(encryption, record, IdempotencyRecord.body_encrypted).encode("latin-1")
        headers = {"Idempotent-Replayed": "true"}
        if record.content_type:
            headers["content-type"] = record.content_type
        return Response(body, record.status, headers)

    async def _record(self, session: WriteSession, response: Response, request_hash: str) -> None:
        body = getattr(response, "body", None)
        if response.status_code >= 400 or not isinstance(body, bytes):
            return
        encryption = components_of(self.request)[Encryption]
        await session.execute(delete(IdempotencyRecord).where(*self._mine()))
        record = IdempotencyRecord(
            tenant_id=self.caller.tenant_id,
            user_id=self.caller.user_id,
            key=self.key,
            request_hash=request_hash,
            status=response.status_code,
            content_type=response.headers.get("content-type"),
        )
        seal(encryption, record, IdempotencyRecord.body_encrypted, body.decode("latin-1"))
        session.add(record)


def _header_error(message: str) -> list[dict[str, Any]]:
    return [{"loc": ["header", HEADER], "msg": message, "type": "value_error"}]


async def purge_records(database: Database) -> None:
    """Delete the records whose time is over."""
    async with database.write() as session:
        await session.execute(delete(IdempotencyRecord).where(IdempotencyRecord.expires_at < now()))
