"""The changes that wait to be brought into the gateway's tables."""

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from budapp.commons.database import WriteSession
from budapp.gateway_changes import crud

EVERYTHING = crud.EVERYTHING
wakeups = crud.wakeups


async def waiting(session: WriteSession, limit: int) -> Sequence[Row[Any]]:
    """Return id, kind and item of the oldest changes."""
    return await crud.waiting(session, limit)


async def forget(session: WriteSession, ids: Collection[UUID]) -> None:
    """Forget changes that have been seen to."""
    await crud.forget(session, ids)


async def next_version(session: WriteSession) -> int:
    """Return a version that is higher than all before, for what is read from now on."""
    return await crud.next_version(session)


def note(session: WriteSession, kind: str, item: str) -> None:
    """Leave a note of a change that no row of the ORM tells of, in the unit of work."""
    crud.note(session.sync_session, kind, item)
