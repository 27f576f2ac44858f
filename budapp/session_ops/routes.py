from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from budapp.commons.access import Caller, Requires, SignedIn, SignedInAccess
from budapp.commons.database import Read, Write
from budapp.commons.schemas import Answer
from budapp.commons.scopes import Scope
from budapp.integrations.keycloak import KeycloakDep
from budapp.session_ops import services
from budapp.session_ops.schemas import SessionId, SessionList, SessionsEnded
from budapp.user_ops.callers import CallersDep
from budapp.user_ops.rights import manageable

router = APIRouter(prefix="/users", tags=["sessions"])

Manager = Annotated[Caller, Depends(Requires(Scope.USER_MANAGE, row=manageable))]
Owner = Annotated[Caller, Depends(SignedInAccess(row=services.own_session))]
KeepCurrent = Annotated[bool, Query(description="Stay signed in with the session of this request")]

_ENDED = "Session ended"


@router.get("/me/sessions")
async def list_own_sessions(caller: SignedIn, session: Read, keycloak: KeycloakDep) -> SessionList:
    """List the caller's sessions: this one first, then by last use."""
    return SessionList(sessions=await services.list_sessions(session, keycloak, caller, caller.user_id))


@router.delete("/me/sessions")
async def end_all_own_sessions(
    caller: SignedIn, session: Write, keycloak: KeycloakDep, callers: CallersDep, keep_current: KeepCurrent = True
) -> SessionsEnded:
    """End the caller's other sessions, or all; their tokens stop working at once."""
    ended = await services.end_sessions(session, keycloak, callers, caller, caller.user_id, keep_current=keep_current)
    return SessionsEnded(ended=ended)


@router.delete("/me/sessions/{session_id}")
async def end_own_session(
    session_id: SessionId, caller: Owner, session: Write, keycloak: KeycloakDep, callers: CallersDep
) -> Answer:
    """End one of the caller's sessions; its tokens stop working at once."""
    await services.end_session(session, keycloak, callers, caller, caller.user_id, session_id)
    return Answer(object="session.end", message=_ENDED)


@router.get("/{user_id}/sessions")
async def list_sessions(user_id: UUID, caller: Manager, session: Read, keycloak: KeycloakDep) -> SessionList:
    """List the sessions of a user, most recently used first."""
    return SessionList(sessions=await services.list_sessions(session, keycloak, caller, user_id))


@router.delete("/{user_id}/sessions")
async def end_all_sessions(
    user_id: UUID, caller: Manager, session: Write, keycloak: KeycloakDep, callers: CallersDep
) -> SessionsEnded:
    """End all sessions of a user; their tokens stop working at once."""
    ended = await services.end_sessions(session, keycloak, callers, caller, user_id, keep_current=False)
    return SessionsEnded(ended=ended)


@router.delete("/{user_id}/sessions/{session_id}")
async def end_session(
    user_id: UUID,
    session_id: SessionId,
    caller: Manager,
    session: Write,
    keycloak: KeycloakDep,
    callers: CallersDep,
) -> Answer:
    """End one session of a user; its tokens stop working at once."""
    await services.end_session(session, keycloak, callers, caller, user_id, session_id)
    return Answer(object="session.end", message=_ENDED)
