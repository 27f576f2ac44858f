from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Result, Row, Select, bindparam, delete, exists, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from budapp.commons.crud import Crud, Page, prepared
from budapp.commons.database import ReadSession, WriteSession, among
from budapp.commons.errors import NotFound
from budapp.commons.paging import equal, matching
from budapp.commons.scopes import Overrides, UserRole, UserType
from budapp.user_ops.columns import ADMITTED, CUSTOM_ROLE, PERSON, PRESENT, people
from budapp.user_ops.models import RevokedSession, User, UserPermission, UserStatus
from budapp.user_ops.schemas import UserInfo, UserQuery

SORTABLE = {
    name: getattr(User, name)
    for name in ("id", "name", "email", "role", "status", "user_type", "created_at", "modified_at")
}
LIST_COLUMNS = (
    {name: getattr(User, name) for name in UserInfo.model_fields} | SORTABLE | {"custom_role": CUSTOM_ROLE}
).values()


class UserCrud(Crud[User]):
    """The people of the caller's tenant, deleted ones too: they can be looked at and brought back."""

    model = User
    soft_deleted = False

    def reach(self) -> list[Any]:
        """Return the conditions for the people, without service accounts."""
        return [*super().reach(), PERSON]

    async def page_of_users(self, query: UserQuery, custom_role_id: UUID | None = None) -> Page:
        """Return a page of the people, where asked of those with one custom role."""
        listed = self._listed(query, custom_role_id is not None).given(custom_role_id=custom_role_id)
        return await self.page(query, listed, SORTABLE)

    @prepared
    def _listed(self, query: UserQuery, of_role: bool) -> Select[Any]:
        conditions = [
            *equal(query, role=User.role, status=User.status, user_type=User.user_type),
            *matching(query, name=User.name, email=User.email),
        ]
        if query.status is None:
            conditions.append(PRESENT)
        if of_role:
            conditions.append(User.custom_role_id == bindparam("custom_role_id"))
        return self.visible(*LIST_COLUMNS).where(*conditions)

    async def view(self, id: UUID) -> Row[Any]:
        """Return the columns of a `UserInfo`.

        Raises:
            NotFound: the tenant has no such person.
        """
        found = await self._view().first(self.session, id=id)
        if found is None:
            raise NotFound("User not found")
        return found

    @prepared
    def _view(self) -> Select[Any]:
        return self.visible(*LIST_COLUMNS).where(User.id == bindparam("id"))

    async def overrides_of(self, user_id: UUID) -> dict[str, bool]:
        """Return what was decided for the user beside the role."""
        rows = await self._permissions(user_id)
        return {scope: row.granted for scope, row in rows.items()}

    async def override(self, user: User, overrides: Overrides) -> None:
        """Have just these decided for the user, whose row must be locked."""
        rows = await self._permissions(user.id)
        for scope in rows.keys() - overrides.keys():
            await self.session.delete(rows[scope])
        for scope, granted in sorted(overrides.items()):
            row = rows.get(scope) or UserPermission(tenant_id=user.tenant_id, user_id=user.id, scope=scope)
            row.granted = granted
            self.session.add(row)

    async def _permissions(self, user_id: UUID) -> dict[str, UserPermission]:
        found = await self.session.scalars(select(UserPermission).where(UserPermission.user_id == user_id))
        return {row.scope: row for row in found}


async def find_by_emails(session: ReadSession, tenant_id: UUID, emails: Iterable[str]) -> dict[str, User]:
    """Return the tenant's users with these e-mails, by lower-case e-mail."""
    wanted = [email.lower() for email in emails]
    statement = select(User).where(User.tenant_id == tenant_id, func.lower(User.email).in_(wanted))
    return {user.email.lower(): user for user in await session.scalars(statement)}


async def find_person(session: ReadSession, tenant_id: UUID, *, user_id: UUID | None, email: str) -> Row[Any] | None:
    """Return the columns of `people` for one person of the tenant, by id, or else by e-mail."""
    by = User.id == user_id if user_id is not None else func.lower(User.email) == email.lower()
    found: Result[Any] = await session.execute(people().where(User.tenant_id == tenant_id, by))
    return found.one_or_none()


async def admitted(session: ReadSession, user_ids: Collection[UUID]) -> Sequence[Row[Any]]:
    """Return the columns of `people` for those of the users who are people and may sign in, of whichever tenant."""
    found: Result[Any] = await session.execute(
        people().where(among(User.id, user_ids), ADMITTED, PERSON).order_by(User.id)
    )
    return found.all()


async def lock(session: ReadSession, user_id: UUID) -> User | None:
    """Return the user locked until the commit, whoever asks; for what no caller stands behind."""
    statement = select(User).where(User.id == user_id).with_for_update(of=User)
    user: User | None = await session.scalar(statement)
    return user


async def present_accounts(session: ReadSession, tenant_id: UUID) -> Sequence[Row[Any]]:
    """Return id, auth_id and role of all people of the tenant who are not deleted."""
    statement = select(User.id, User.auth_id, User.role)
    statement = statement.where(User.tenant_id == tenant_id, User.status != UserStatus.DELETED, PERSON)
    found: Result[Any] = await session.execute(statement)
    return found.all()


async def has_withdrawn(session: ReadSession, user_id: UUID) -> bool:
    """Tell whether anything was withdrawn from the user."""
    withdrawn = exists().where(UserPermission.user_id == user_id, ~UserPermission.granted)
    return bool(await session.scalar(select(withdrawn)))


async def find_by_auth_id(session: AsyncSession, auth_id: str) -> User | None:
    user: User | None = await session.scalar(select(User).where(User.auth_id == auth_id))
    return user


async def ranks_besides(session: ReadSession, user: User, ranks: Collection[str]) -> set[str]:
    """Return which of the ranks the tenant's other administrators have; `administrators.py` says who is one."""
    administers = (
        User.status == UserStatus.ACTIVE,
        User.user_type == UserType.ADMIN,
        User.role.in_(ranks),
        User.custom_role_id.is_(None),
        PERSON,
        or_(
            User.role == UserRole.SUPER_ADMIN,
            ~exists().where(UserPermission.user_id == User.id, ~UserPermission.granted),
        ),
    )
    others = select(User.role).where(User.tenant_id == user.tenant_id, User.id != user.id, *administers)
    return set(await session.scalars(others.distinct()))


async def add_revocations(session: WriteSession, session_ids: Collection[str], expires_at: datetime) -> None:
    """Note that the sessions are revoked; those that are already stay as they are."""
    rows = [{"session_id": session_id, "expires_at": expires_at} for session_id in session_ids]
    await session.execute(insert(RevokedSession).on_conflict_do_nothing(), rows)


async def revoked(session: ReadSession, session_ids: Collection[str]) -> set[str]:
    """Return which of the sessions were ended."""
    statement = select(RevokedSession.session_id).where(RevokedSession.session_id.in_(session_ids))
    return set(await session.scalars(statement))


async def delete_revocations(session: WriteSession, before: datetime) -> None:
    """Delete the notes that expired before."""
    await session.execute(delete(RevokedSession).where(RevokedSession.expires_at < before))
