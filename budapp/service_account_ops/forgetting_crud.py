"""Notes whose keys change or are revoked: every replica forgets them then, so that the keys are looked at anew."""

from uuid import UUID

from sqlalchemy import event
from sqlalchemy.orm import Session

from budapp.api_key_ops.models import Credential
from budapp.commons.database import Database
from budapp.user_ops.callers import Callers

_OWNERS = "changed_key_owners"


class KeyChanges:
    """Listens to the units of work of one application."""

    def __init__(self, database: Database, callers: Callers) -> None:
        self._callers = callers
        event.listen(database.session_class, "after_flush", self._note_owners)

    def _note_owners(self, session: Session, _context: object) -> None:
        owners = {row.user_id for row in (*session.dirty, *session.deleted) if isinstance(row, Credential)}
        if not owners:
            return
        changed: set[UUID] | None = session.info.get(_OWNERS)
        if changed is not None:
            changed |= owners
            return
        session.info[_OWNERS] = owners

        async def announce() -> None:
            await self._callers.forget(*owners)

        session.info.setdefault("after_commit", []).append(announce)
