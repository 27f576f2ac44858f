from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import any_, delete, exists, func, literal, select, update
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.types import DateTime, String
from uuid_utils.compat import uuid7

from budapp.commons.database import ReadSession, WriteSession, now
from budapp.session_ops.models import UserSession
from budapp.user_ops.models import RevokedSession, User

_RENEWED = (
    *("address", "user_agent", "is_offline", "last_used_at", "expires_at"),
    *("refresh_token_hash", "refresh_issued_at"),
)


async def upsert(session: WriteSession, auth_id: str, values: Mapping[str, Any]) -> None:
    """Note the session of the person with this Keycloak id, anew where it is known; of nobody's where there is none."""
    values = {"id": uuid7(), "created_at": now(), "modified_at": now(), **values}
    columns = UserSession.__table__.c
    literals = [literal(value, columns[name].type).label(name) for name, value in values.items()]
    owner = select(User.tenant_id, User.id, *literals).where(User.auth_id == auth_id)
    statement = insert(UserSession).from_select(["tenant_id", "user_id", *values], owner)
    renewed = {name: statement.excluded[name] for name in (*_RENEWED, "modified_at")}
    mine = UserSession.user_id == statement.excluded.user_id
    await session.execute(statement.on_conflict_do_update(index_elements=["session_id"], set_=renewed, where=mine))


async def user_agents_at(session: ReadSession, user_id: UUID, address: str | None) -> set[str | None]:
    """Return what the person has signed in with at the address, in sessions that are noted and that nobody ended."""
    ended = exists().where(RevokedSession.session_id == UserSession.session_id)
    statement = select(UserSession.user_agent).where(UserSession.user_id == user_id, UserSession.address == address)
    return set(await session.scalars(statement.where(~ended)))


async def has_later_token(
    session: ReadSession, session_id: str, token_hash: str, issued_at: datetime, *, for_update: bool = False
) -> bool:
    """Tell whether another refresh token, no older than this one, is the current one of a session that nobody ended."""
    ended = exists().where(RevokedSession.session_id == UserSession.session_id)
    statement = select(UserSession).where(UserSession.session_id == session_id, ~ended)
    found = await session.scalar(statement.with_for_update() if for_update else statement)
    if found is None or found.refresh_issued_at is None:
        return False
    return found.refresh_token_hash != token_hash and bool(found.refresh_issued_at >= issued_at)


async def find_of_user(
    session: ReadSession, tenant_id: UUID, user_id: UUID, *, for_update: bool = False
) -> dict[str, UserSession]:
    """Return the person's sessions that are noted and not known to have ended, by id."""
    ended = exists().where(RevokedSession.session_id == UserSession.session_id)
    statement = select(UserSession).where(UserSession.tenant_id == tenant_id, UserSession.user_id == user_id)
    statement = statement.where(UserSession.expires_at > now(), ~ended)
    if for_update:
        statement = statement.order_by(UserSession.session_id).with_for_update()
    return {row.session_id: row for row in await session.scalars(statement)}


async def note_uses(session: WriteSession, uses: Mapping[str, datetime]) -> None:
    """Note when the sessions were last used; rows that someone else is changing at this moment are left as they are."""
    ids, moments = list(uses), list(uses.values())
    given = func.unnest(literal(ids, ARRAY(String)), literal(moments, ARRAY(DateTime(timezone=True))))
    used = given.table_valued("session_id", "at").render_derived()
    free = (
        select(UserSession.id)
        .where(UserSession.session_id == any_(literal(ids, ARRAY(String))))
        .with_for_update(skip_locked=True)
        .cte("free")
    )
    latest = func.greatest(UserSession.last_used_at, used.c.at)
    known = UserSession.session_id == used.c.session_id
    await session.execute(
        update(UserSession)
        .where(UserSession.id.in_(select(free.c.id)), known)
        .values(last_used_at=latest, modified_at=UserSession.modified_at)
        .execution_options(synchronize_session=False)
    )


async def purge(session: WriteSession, before: datetime) -> None:
    """Delete the notes of sessions that had ended by themselves before this moment."""
    await session.execute(delete(UserSession).where(UserSession.expires_at < before))
