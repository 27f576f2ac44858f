"""Notes whose keys change or are revoked: every replica forgets them then, so that the keys are looked at anew."""

from collections.abc import Set
from uuid import UUID

from sqlalchemy import event
from sqlalchemy.orm import Session, SessionTransaction

from budapp.api_key_ops.models import Credential
from budapp.commons.database import Database
from budapp.user_ops.callers import Callers

_PENDING = "changed_key_owners"


class KeyChanges:
    """Listens to the units of work of one application."""

    def __init__(self, database: Database, callers: Callers) -> None:
        self._callers = callers
        event.listen(database.session_class, "after_flush", _note_keys)
        event.listen(database.session_class, "before_commit", self._forget_owners)
        event.listen(database.session_class, "after_soft_rollback", _drop)

    def _forget_owners(self, session: Session) -> None:
        if session.in_nested_transaction():
            return
        session.flush()
        owners: Set[UUID] = session.info.pop(_PENDING, frozenset())
        if not owners:
            return

        async def announce() -> None:
            await self._callers.forget(*owners)

        session.info.setdefault("after_commit", []).append(announce)


def _note_keys(session: Session, _context: object) -> None:
    owners = {row.user_id for row in (*session.dirty, *session.deleted) if isinstance(row, Credential)}
    if owners:
        session.info.setdefault(_PENDING, set()).update(owners)


def _drop(session: Session, previous: SessionTransaction) -> None:
    if previous.parent is None:
        session.info.pop(_PENDING, None)
