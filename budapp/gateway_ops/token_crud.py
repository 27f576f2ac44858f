from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, delete, or_, select

from budapp.commons.database import ReadSession, WriteSession, among, now
from budapp.gateway_ops.models import GatewayToken
from budapp.project_ops.models import Project, ProjectMember, ProjectStatus
from budapp.tenant_ops.models import Tenant
from budapp.user_ops.models import User

Memberships = Mapping[UUID, Mapping[UUID, Sequence[str]]]
"""User → project → what they may do in there."""


async def find(session: WriteSession, hashed_token: str) -> GatewayToken | None:
    """Return the token with this hash, locked."""
    statement = select(GatewayToken).where(GatewayToken.hashed_token == hashed_token).with_for_update()
    token: GatewayToken | None = await session.scalar(statement)
    return token


async def of_sessions(session: WriteSession, session_ids: Collection[str]) -> Sequence[GatewayToken]:
    """Return the access tokens of the sessions, locked in the order of their ids."""
    statement = select(GatewayToken).where(among(GatewayToken.session_id, session_ids))
    return (await session.scalars(statement.order_by(GatewayToken.id).with_for_update())).all()


async def with_hashes(session: ReadSession, hashes: Collection[str]) -> Sequence[Row[Any]]:
    """Return `GatewayToken`, `User` and whether the tenant `is_active`, for the tokens with these hashes."""
    rows: Sequence[Any] = (await session.execute(_tokens().where(among(GatewayToken.hashed_token, hashes)))).all()
    return rows


async def pages(session: ReadSession, tenant_id: UUID | None, size: int) -> AsyncIterator[Sequence[Row[Any]]]:
    """Yield the tokens of the tenant, or of all, in pages."""
    last: UUID | None = None
    while True:
        statement = _tokens().order_by(GatewayToken.id).limit(size)
        if tenant_id is not None:
            statement = statement.where(GatewayToken.tenant_id == tenant_id)
        if last is not None:
            statement = statement.where(GatewayToken.id > last)
        rows: Sequence[Any] = (await session.execute(statement)).all()
        if rows:
            yield rows
        if len(rows) < size:
            return
        last = rows[-1].GatewayToken.id


def _tokens() -> Any:
    return (
        select(GatewayToken, User, Tenant.is_active)
        .join(User, User.id == GatewayToken.user_id)
        .join(Tenant, Tenant.id == GatewayToken.tenant_id)
    )


async def projects(session: ReadSession, project_ids: Iterable[UUID]) -> Sequence[Project]:
    """Return those of the projects in which anything may be called, in the order in which they were made."""
    live = (Project.status == ProjectStatus.ACTIVE, ~Project.benchmark, among(Project.id, project_ids))
    return (await session.scalars(select(Project).where(*live).order_by(Project.id))).all()


async def memberships(session: ReadSession, user_ids: Collection[UUID]) -> Memberships:
    """Return what each of the people may do in the projects that they take part in."""
    columns = (ProjectMember.user_id, ProjectMember.project_id, ProjectMember.scopes)
    found: dict[UUID, dict[UUID, Sequence[str]]] = {}
    for user_id, project_id, scopes in await session.execute(
        select(*columns).where(among(ProjectMember.user_id, user_ids))
    ):
        found.setdefault(user_id, {})[project_id] = scopes
    return found


def _in_projects(project_ids: Collection[UUID]) -> ColumnElement[bool]:
    tenants = select(Project.tenant_id).where(among(Project.id, project_ids))
    in_them = or_(GatewayToken.project_id.is_(None), among(GatewayToken.project_id, project_ids))
    return GatewayToken.tenant_id.in_(tenants) & in_them


def _of_role(role_ids: Collection[UUID]) -> ColumnElement[bool]:
    return GatewayToken.user_id.in_(select(User.id).where(among(User.custom_role_id, role_ids)))


TOKENS_OF = {
    "project": _in_projects,
    "owner": GatewayToken.user_id.in_,
    "role": _of_role,
    "tenant": GatewayToken.tenant_id.in_,
    "catalog": GatewayToken.tenant_id.in_,
}
"""Kind of change → from its items to the condition for the tokens whose entries follow from them."""


async def hashes(session: ReadSession, condition: ColumnElement[bool]) -> set[str]:
    """Return the hashes of the tokens that meet the condition."""
    return set(await session.scalars(select(GatewayToken.hashed_token).where(condition)))


async def purge(session: WriteSession, before: datetime | None = None) -> None:
    """Delete tokens that are over; their entries have ended by themselves.

    The table itself is changed, past the ORM: neither the audit trail nor the gateway has to know.
    """
    table = GatewayToken.__table__
    await session.execute(delete(table).where(table.c.expires_at < (before or now())))  # type: ignore[arg-type]
