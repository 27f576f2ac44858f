"""Sessions that were ended before their access tokens expired."""

from collections.abc import Sequence
from datetime import timedelta

from budapp.audit.models import Action, ResourceType
from budapp.audit.recorder import record
from budapp.commons.database import Database, WriteSession, now
from budapp.commons.hooks import hooks_of
from budapp.integrations.keycloak import Keycloak
from budapp.user_ops import crud
from budapp.user_ops.hooks import after_revocation
from budapp.user_ops.models import User

_KEPT = timedelta(days=1)


async def end_sessions(keycloak: Keycloak, realm: str, user: User, *, but: str | None = None) -> list[str]:
    """End the person's sessions in Keycloak, offline ones too, except `but`; return their ids to be revoked."""
    ended = [session_id for session_id in await keycloak.session_ids(realm, user.auth_id) if session_id != but]
    for session_id in ended:
        await keycloak.end_session(realm, session_id)
    return ended


async def revoke_sessions(
    session: WriteSession, session_ids: Sequence[str], user: User | None = None, *, reason: str | None = None
) -> None:
    """Refuse the access tokens of the sessions, which are the user's, from the commit on; `reason` is for the trail.

    The note is kept for a day, longer than any access token lives.
    """
    if session_ids:
        await crud.add_revocations(session, session_ids, now() + _KEPT)
        _record(session, session_ids, user, reason)
        for follow in hooks_of(session).all(after_revocation):
            await follow(session, session_ids)


def _record(session: WriteSession, session_ids: Sequence[str], user: User | None, reason: str | None) -> None:
    record(
        session,
        Action.LOGOUT,
        ResourceType.SESSION,
        tenant_id=user.tenant_id if user else None,
        user_id=user.id if user else None,
        resource_name=user.email if user else None,
        details={"success": True, "sessions": list(session_ids)} | ({"reason": reason} if reason else {}),
    )


async def purge_revocations(database: Database) -> None:
    """Delete the notes of sessions whose last access token has long expired."""
    async with database.write() as session:
        await crud.delete_revocations(session, now())
