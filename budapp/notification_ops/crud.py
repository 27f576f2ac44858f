from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import ColumnElement, CursorResult, Row, Select, and_, delete, func, literal_column, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from uuid_utils.compat import uuid7

from budapp.commons.crud import Crud, Page, prepared
from budapp.commons.database import ReadSession, WriteSession, now
from budapp.commons.paging import equal
from budapp.commons.scopes import Scope
from budapp.notification_ops.models import Notification, NotificationPreference
from budapp.notification_ops.schemas import NotificationQuery, NotificationView, Preference
from budapp.project_ops.services import projects_holding, projects_in_reach

SORTABLE = {name: getattr(Notification, name) for name in ("id", "is_read", "type", "created_at")}
UNREAD_FIRST = "is_read,-created_at"

_UNREAD = Notification.is_read == literal_column("false")
_COLUMNS = [getattr(Notification, name) for name in NotificationView.model_fields]


class NotificationCrud(Crud[Notification]):
    """What the caller was told, without what is about things that they may not see any more."""

    model = Notification
    soft_deleted = False

    def reach(self) -> list[Any]:
        """Add whose they are, and that the project, or the scope in it or in the tenant, is still held."""
        own = Notification.user_id == self.caller.user_id
        return [*super().reach(), own, or_(self._of_tenant(), self._of_projects())]

    def _of_tenant(self) -> ColumnElement[bool]:
        held = [Notification.scope == literal_column(f"'{scope}'") for scope in sorted(self.caller.scopes & set(Scope))]
        return and_(Notification.project_id.is_(None), or_(Notification.scope.is_(None), *held))

    def _of_projects(self) -> ColumnElement[bool]:
        # The session knows the hooks only: both are parts of a statement.
        reached = projects_in_reach(self.session, self.caller)
        viewing = projects_holding(self.session, self.caller, Scope.ENDPOINT_VIEW)
        return or_(
            and_(Notification.scope.is_(None), Notification.project_id.in_(reached)),
            and_(
                Notification.scope == literal_column(f"'{Scope.ENDPOINT_VIEW}'"), Notification.project_id.in_(viewing)
            ),
        )

    async def page_of_notifications(self, query: NotificationQuery) -> Page:
        """Return a page of `NotificationView` columns, the unread ones first, then the newest."""
        return await self.page(query, self._listed(query), SORTABLE, UNREAD_FIRST)

    @prepared
    def _listed(self, query: NotificationQuery) -> Select[Any]:
        wanted = equal(query, type=Notification.type, project_id=Notification.project_id)
        if query.is_read is not None:
            wanted.append(~_UNREAD if query.is_read else _UNREAD)
        return self.visible(*_COLUMNS).where(*wanted)

    async def count_unread(self) -> int:
        """Return how many the caller has not read."""
        row = await self._unread().first(self.session)
        return row.unread if row is not None else 0

    @prepared
    def _unread(self) -> Select[Any]:
        return self.visible(func.count().label("unread")).where(_UNREAD)

    async def mark_all(self) -> int:
        """Mark what is not read yet; returns how many."""
        statement = update(Notification).where(*self.reach(), _UNREAD).values(is_read=True, read_at=now())
        found = await self.session.execute(statement.execution_options(synchronize_session=False))
        return cast("CursorResult[Any]", found).rowcount


async def preferences_of(
    session: ReadSession, user_ids: Collection[UUID], type: str | None = None
) -> Sequence[Row[Any]]:
    """Return user_id, type, in_app and mail of what the users have set, where asked for one type."""
    of = NotificationPreference
    statement = select(of.user_id, of.type, of.in_app, of.mail).where(of.user_id.in_(user_ids)).order_by(of.type)
    if type is not None:
        statement = statement.where(of.type == type)
    found: Sequence[Any] = (await session.execute(statement)).all()
    return found


async def set_preferences(session: WriteSession, owner: Mapping[str, UUID], preferences: Iterable[Preference]) -> None:
    """Set them, in place of what was set for these types."""
    at = {"created_at": now(), "modified_at": now()}
    rows = [{"id": uuid7(), **owner, **at, **preference.model_dump()} for preference in preferences]
    statement = insert(NotificationPreference).values(rows)
    changed = {name: statement.excluded[name] for name in ("in_app", "mail", "modified_at")}
    await session.execute(statement.on_conflict_do_update(index_elements=["user_id", "type"], set_=changed))


async def delete_before(session: WriteSession, moment: datetime, limit: int) -> int:
    """Delete so many of the notifications that are older; returns how many there were."""
    old = select(Notification.id).where(Notification.created_at < moment).limit(limit)
    found = await session.execute(
        delete(Notification).where(Notification.id.in_(old)).execution_options(synchronize_session=False)
    )
    return cast("CursorResult[Any]", found).rowcount
