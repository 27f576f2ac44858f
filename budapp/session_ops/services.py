import asyncio
import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

import jwt

from budapp.commons.access import Caller
from budapp.commons.database import Database, ReadSession, WriteSession, now, release
from budapp.commons.errors import NotFound
from budapp.commons.origin import Origin
from budapp.integrations.keycloak import Keycloak, KeycloakSession
from budapp.session_ops import crud
from budapp.session_ops.devices import device_of
from budapp.session_ops.models import UserSession
from budapp.session_ops.schemas import SessionView
from budapp.user_ops.callers import Callers
from budapp.user_ops.rights import manageable
from budapp.user_ops.sessions import revoke_sessions

_OFFLINE_IDLE = timedelta(days=30)
"""How long Keycloak keeps an unused offline session, which has no end of its own (`offlineSessionIdleTimeout`)."""
KEPT_AFTER_END = timedelta(days=90)


async def note_session(session: WriteSession, auth_id: str, tokens: Mapping[str, Any], origin: Origin) -> None:
    """Note from where somebody signed in, or renewed their tokens: for every way in, after the tokens are there.

    Args:
        session: the unit of work.
        auth_id: the person's Keycloak id, `sub` in their tokens.
        tokens: what Keycloak's token endpoint answered.
        origin: where the person's request came from.
    """
    moment = now()
    seconds = int(tokens.get("refresh_expires_in") or 0)
    values = {
        "session_id": tokens["session_state"],
        "address": origin.address,
        "user_agent": origin.user_agent,
        "is_offline": "offline_access" in tokens.get("scope", "").split(),
        "last_used_at": moment,
        "expires_at": moment + (timedelta(seconds=seconds) if seconds else _OFFLINE_IDLE),
        "refresh_token_hash": _hash(tokens["refresh_token"]),
        "refresh_issued_at": _issued_at(tokens["refresh_token"]),
    }
    await crud.upsert(session, auth_id, values)


async def note_renewal(session: WriteSession, refresh_token: str, tokens: Mapping[str, Any], origin: Origin) -> bool:
    """Note the renewal of a session by a refresh token that Keycloak took; note nothing where it is an earlier one.

    Returns:
        Whether the token was the session's current one; a token of a session that is not noted, or newer than what is
        noted, passes.
    """
    if await has_later_token(session, refresh_token, for_update=True):
        return False
    await note_session(session, str(_claims(refresh_token)["sub"]), tokens, origin)
    return True


async def has_later_token(session: ReadSession, refresh_token: str, *, for_update: bool = False) -> bool:
    """Tell whether a genuine refresh token is an earlier one of a session that nobody ended, as far as noted."""
    session_id, issued_at = str(_claims(refresh_token)["sid"]), _issued_at(refresh_token)
    return await crud.has_later_token(session, session_id, _hash(refresh_token), issued_at, for_update=for_update)


async def familiarity_of(
    session: ReadSession, user_id: UUID, origin: Origin
) -> Literal["browser", "address", "stranger"]:
    """Tell whether the person has signed in here before: in this browser at this address, at this address, or not.

    Sessions that ended by themselves are remembered for `KEPT_AFTER_END`, those that somebody ended are not.
    """
    browsers = await crud.user_agents_at(session, user_id, origin.address)
    if not browsers:
        return "stranger"
    return "browser" if origin.user_agent in browsers else "address"


async def list_sessions(session: ReadSession, keycloak: Keycloak, caller: Caller, user_id: UUID) -> list[SessionView]:
    """Return where the person is signed in, the last used first.

    Raises:
        NotFound: the tenant has no such person.
        Forbidden: the person may do more than the caller.
    """
    user = await manageable(session, caller, user_id)
    noted = await crud.find_of_user(session, user.tenant_id, user.id)
    await release(session)
    alive = await keycloak.sessions(caller.realm, user.auth_id)

    def views() -> list[SessionView]:
        return [_view(found, noted.get(found.id), caller) for found in alive]

    found = await asyncio.to_thread(views)
    return sorted(found, key=lambda view: (view.is_current, view.last_used_at), reverse=True)


async def own_session(session: ReadSession, caller: Caller, session_id: UUID) -> UserSession:
    """Return the caller's session, as it was noted at the sign-in.

    Raises:
        NotFound: it is somebody else's, or has ended.
    """
    found = (await crud.find_of_user(session, caller.tenant_id, caller.user_id)).get(str(session_id))
    if found is None:
        raise NotFound("Session not found")
    return found


async def end_session(
    session: WriteSession, keycloak: Keycloak, callers: Callers, caller: Caller, user_id: UUID, session_id: str
) -> None:
    """Sign the person out in one place: neither access nor refresh token counts any more, on any replica.

    Raises:
        NotFound: the tenant has no such person, or the person no such session.
        Forbidden: the person may do more than the caller.
    """
    if not await _end(session, keycloak, callers, caller, user_id, only=session_id):
        raise NotFound("Session not found")


async def end_sessions(
    session: WriteSession, keycloak: Keycloak, callers: Callers, caller: Caller, user_id: UUID, *, keep_current: bool
) -> int:
    """Sign the person out everywhere, or everywhere but here; return in how many places.

    Raises:
        NotFound: the tenant has no such person.
        Forbidden: the person may do more than the caller.
    """
    but = caller.session_id if keep_current else None
    return await _end(session, keycloak, callers, caller, user_id, but=but)


async def _end(
    session: WriteSession,
    keycloak: Keycloak,
    callers: Callers,
    caller: Caller,
    user_id: UUID,
    *,
    only: str | None = None,
    but: str | None = None,
) -> int:
    """End sessions in Keycloak, then here; return how many.

    What Keycloak has ended already counts as long as it is noted here, so that what failed halfway can be done again.
    """
    user = await manageable(session, caller, user_id)
    noted = await crud.find_of_user(session, user.tenant_id, user.id)
    await release(session)
    alive = {found.id for found in await keycloak.sessions(caller.realm, user.auth_id)}
    ending = sorted(known for known in alive | noted.keys() if only in {None, known} and known != but)
    for session_id in ending:
        await keycloak.end_session(caller.realm, session_id)
    rows = await crud.find_of_user(session, user.tenant_id, user.id, for_update=True)
    for session_id in rows.keys() & set(ending):
        await session.delete(rows[session_id])
    await revoke_sessions(session, ending, user)
    callers.forget_after_commit(session, user.id)
    return len(ending)


async def purge_sessions(database: Database) -> None:
    """Delete the notes of sessions that have long ended by themselves."""
    async with database.write() as session:
        await crud.purge(session, now() - KEPT_AFTER_END)


def _view(found: KeycloakSession, noted: UserSession | None, caller: Caller) -> SessionView:
    device = device_of(noted.user_agent if noted else None)
    is_current = found.id == caller.session_id
    used = [found.last_access, *([noted.last_used_at] if noted else []), *([now()] if is_current else [])]
    return SessionView(
        id=found.id,
        device=str(device),
        browser=device.browser,
        os=device.os,
        address=noted.address if noted else None,
        started_at=found.started_at,
        last_used_at=max(used),
        remember_me=found.is_offline,
        is_current=is_current,
    )


def _hash(refresh_token: str) -> str:
    return hashlib.sha256(refresh_token.encode()).hexdigest()


def _issued_at(refresh_token: str) -> datetime:
    return datetime.fromtimestamp(_claims(refresh_token)["iat"], UTC)


def _claims(refresh_token: str) -> dict[str, Any]:
    """Return what the token says, which Keycloak alone can check: only for tokens that it has just issued or taken."""
    claims: dict[str, Any] = jwt.decode(refresh_token, options={"verify_signature": False})
    return claims
