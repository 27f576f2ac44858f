"""What opens the gateway for a while without being an API key: sessions of the playground, keys for evaluations.

They are rows like API keys, and their entries are worked out with those: rights that their owner loses are lost by
them too, and a rebuild brings them back.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from budapp.api_key_ops import secrets
from budapp.commons.access import Caller
from budapp.commons.database import Database, ReadSession, WriteSession, now
from budapp.commons.errors import BadRequest, Conflict
from budapp.commons.integrity import conflict_on
from budapp.commons.scopes import Scope, UserType
from budapp.gateway_ops import crud, token_crud
from budapp.gateway_ops.models import GatewayToken, TokenPurpose
from budapp.gateway_ops.owners import may_call_in
from budapp.gateway_ops.rows import Deployment, Token
from budapp.project_ops.models import Project
from budapp.project_ops.services import require_project
from budapp.user_ops.models import User, UserStatus

EVALUATION_KEY = timedelta(hours=24)
_LONGEST = timedelta(days=7)


async def open_for_token(session: WriteSession, caller: Caller, token: str, expires_at: datetime) -> None:
    """Have the gateway take the caller's access token, as long as that and its session count.

    It opens what the caller may call: in every project in reach, and for customers what is published. Once more with
    the same token changes nothing but the end.

    Raises:
        BadRequest: the token is over, or lasts longer than a week.
        Conflict: another request has opened it in the same moment.
    """
    if not now() < expires_at <= now() + _LONGEST:
        raise BadRequest("The token is over, or lasts for more than a week", param="token")
    hashed = secrets.lookup_hash(token)
    row = await token_crud.find(session, hashed)
    if row is None:
        of_caller = {"tenant_id": caller.tenant_id, "user_id": caller.user_id, "session_id": caller.session_id}
        row = GatewayToken(purpose=TokenPurpose.PLAYGROUND, hashed_token=hashed, **of_caller)
        session.add(row)
    row.expires_at = expires_at
    with conflict_on("uq_gateway_token_hashed_token", Conflict("The session has just been opened; look again")):
        await session.flush()


async def issue_evaluation_key(
    session: WriteSession, caller: Caller, project_id: UUID, endpoint_ids: Collection[UUID] | None = None
) -> str:
    """Return a new key with which an evaluation calls deployments of the project for a day, some of them or all.

    It is shown nowhere else; `close_token` ends it before its time.

    Raises:
        NotFound: no such project, or out of reach.
        Forbidden: the caller may not call deployments of the project.
    """
    project = await require_project(session, caller, project_id, Scope.ENDPOINT_VIEW, lock="share")
    key = secrets.new_secret("admin")
    session.add(
        GatewayToken(
            tenant_id=caller.tenant_id,
            user_id=caller.user_id,
            project_id=project.id,
            purpose=TokenPurpose.EVALUATION,
            hashed_token=secrets.lookup_hash(key),
            expires_at=now() + EVALUATION_KEY,
            endpoint_ids=list(endpoint_ids) if endpoint_ids is not None else None,
        )
    )
    await session.flush()
    return key


async def close_token(session: WriteSession, token: str) -> None:
    """Have the token, or key for an evaluation, open nothing any more; nothing happens where it opens nothing."""
    row = await token_crud.find(session, secrets.lookup_hash(token))
    if row is not None:
        await session.delete(row)


async def close_sessions(session: WriteSession, session_ids: Sequence[str]) -> None:
    """Have the access tokens of the sessions open nothing any more."""
    for row in await token_crud.of_sessions(session, session_ids):
        await session.delete(row)


async def purge_tokens(database: Database) -> None:
    """Delete the rows of tokens that are over."""
    async with database.write() as session:
        await token_crud.purge(session)


async def tokens_of(session: ReadSession, rows: Sequence[Row[Any]], deployments: Iterable[Deployment]) -> list[Token]:
    """Return the tokens of the rows, with the projects of these deployments in which their owners may call them."""
    if not rows:
        return []
    user_ids = {row.User.id for row in rows}
    projects = await token_crud.projects(session, {one.project_id for one in deployments})
    members = await token_crud.memberships(session, user_ids)
    overrides = await crud.overrides_of(session, user_ids)
    callable_by: dict[UUID, tuple[UUID, ...]] = {}
    for row in rows:
        if row.User.id not in callable_by:
            mine, decided = members.get(row.User.id, {}), overrides.get(row.User.id, {})
            callable_by[row.User.id] = tuple(_callable(row, projects, mine, decided))
    return [_token(row, callable_by[row.User.id]) for row in rows]


def _callable(
    row: Row[Any],
    projects: Iterable[Project],
    mine: Mapping[UUID, Sequence[str]],
    overrides: Mapping[str, bool],
) -> Iterable[UUID]:
    if not row.is_active:
        return
    for project in projects:
        if project.tenant_id == row.User.tenant_id and may_call_in(row.User, project, mine.get(project.id), overrides):
            yield project.id


def _token(row: Row[Any], callable_projects: tuple[UUID, ...]) -> Token:
    token: GatewayToken = row.GatewayToken
    user: User = row.User
    wanted = token.project_id
    lives = bool(row.is_active) and user.status == UserStatus.ACTIVE
    return Token(
        tenant_id=token.tenant_id,
        user_id=token.user_id,
        hashed_token=token.hashed_token,
        expires_at=token.expires_at,
        project_ids=tuple(one for one in callable_projects if wanted is None or one == wanted),
        opens_published=lives and wanted is None and user.user_type == UserType.CLIENT,
        endpoint_ids=frozenset(token.endpoint_ids) if token.endpoint_ids is not None else None,
    )
