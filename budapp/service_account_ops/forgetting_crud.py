"""Notes whose keys change or are revoked: every replica forgets them then, so that the keys are looked at anew."""

from sqlalchemy import event
from sqlalchemy.orm import Session, SessionTransaction

from budapp.api_key_ops.models import Credential
from budapp.user_ops import callers as remembered

_PENDING = "changed_key_owners"


@event.listens_for(Session, "after_flush")
def _note_keys(session: Session, _context: object) -> None:
    owners = {row.user_id for row in (*session.dirty, *session.deleted) if isinstance(row, Credential)}
    if owners:
        session.info.setdefault(_PENDING, set()).update(owners)


@event.listens_for(Session, "before_commit")
def _forget_owners(session: Session) -> None:
    if session.in_nested_transaction():
        return
    session.flush()
    owners = session.info.pop(_PENDING, None)
    if owners:

        async def announce() -> None:
            for callers in list(remembered.live):
                if callers.hooks is session.info.get("hooks"):  # the same application
                    await callers.forget(*owners)

        session.info.setdefault("after_commit", []).append(announce)


@event.listens_for(Session, "after_soft_rollback")
def _drop(session: Session, previous: SessionTransaction) -> None:
    if previous.parent is None:
        session.info.pop(_PENDING, None)
