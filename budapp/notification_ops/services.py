"""What people were told: kept, shown, and mailed to those who want it so."""

from collections.abc import Collection, Sequence
from datetime import timedelta
from uuid import UUID

from budapp.commons.access import Caller
from budapp.commons.crud import Page
from budapp.commons.database import Database, ReadSession, WriteSession, now
from budapp.commons.errors import UnprocessableContent
from budapp.commons.scopes import Scope
from budapp.events.hooks import Message
from budapp.events.notify import send_text
from budapp.notification_ops import crud
from budapp.notification_ops.crud import NotificationCrud
from budapp.notification_ops.models import Notification
from budapp.notification_ops.schemas import MAX_PREFERENCES, NotificationQuery, Preference
from budapp.notification_ops.texts import TEMPLATES, mail_of
from budapp.project_ops.services import is_reached
from budapp.user_ops.services import as_callers

KEEP = timedelta(days=90)
_AT_ONCE = 5000
_SCOPES = {"model": Scope.MODEL_VIEW, "cluster": Scope.CLUSTER_VIEW, "endpoint": Scope.ENDPOINT_VIEW}
"""What must be held to see what a message is about, beside its project."""


async def keep_message(session: WriteSession, message: Message, user_ids: Collection[UUID]) -> Collection[UUID]:
    """Keep the message for those of the users who may see what it is about, and mail it to those who want that.

    Returns:
        who is shown it in the application.
    """
    callers = [caller for caller in await as_callers(session, user_ids) if await _sees(session, caller, message)]
    if not callers:
        return ()
    rows = await crud.preferences_of(session, [caller.user_id for caller in callers], message.type)
    set_by = {row.user_id: row for row in rows}
    shown = [caller for caller in callers if caller.user_id not in set_by or set_by[caller.user_id].in_app]
    session.add_all(_row(message, caller) for caller in shown)
    mail = mail_of(message)
    for row in rows:
        if row.mail:
            await send_text(session, user_id=row.user_id, subject=mail.subject, text=mail.text)
    return [caller.user_id for caller in shown]


async def list_notifications(session: ReadSession, caller: Caller, query: NotificationQuery) -> Page:
    """Return a page of what the caller was told, the unread first."""
    return await NotificationCrud(session, caller).page_of_notifications(query)


async def count_unread(session: ReadSession, caller: Caller) -> int:
    """Return how many notifications the caller has not read."""
    return await NotificationCrud(session, caller).count_unread()


async def get_notification(session: ReadSession, caller: Caller, notification_id: UUID) -> Notification:
    """Return what the caller was told.

    Raises:
        NotFound: no such notification, or one about what the caller may not see any more.
    """
    return await NotificationCrud(session, caller).get(notification_id)


async def mark_read(session: WriteSession, caller: Caller, notification_id: UUID) -> int:
    """Mark a notification as read; returns 0 where it was before.

    Raises:
        NotFound: no such notification, or one about what the caller may not see any more.
    """
    found = await NotificationCrud(session, caller).get(notification_id, for_update=True)
    if found.is_read:
        return 0
    found.is_read, found.read_at = True, now()
    return 1


async def mark_all_read(session: WriteSession, caller: Caller) -> int:
    """Mark all of the caller's notifications as read; returns how many were not."""
    return await NotificationCrud(session, caller).mark_all()


async def list_preferences(session: ReadSession, caller: Caller) -> list[Preference]:
    """Return the caller's preference for each type that is known here or that they have set, by type."""
    found = {type: Preference(type=type) for type in TEMPLATES}
    for row in await crud.preferences_of(session, [caller.user_id]):
        found[row.type] = Preference.model_validate(row)
    return [found[type] for type in sorted(found)]


async def set_preferences(session: WriteSession, caller: Caller, preferences: Sequence[Preference]) -> list[Preference]:
    """Set how the caller is told of these types, and return all preferences.

    Raises:
        UnprocessableContent: the caller would have set more than there can be.
    """
    owner = {"tenant_id": caller.tenant_id, "user_id": caller.user_id}
    await crud.set_preferences(session, owner, preferences)
    if len(await crud.preferences_of(session, [caller.user_id])) > MAX_PREFERENCES:
        raise UnprocessableContent(f"At most {MAX_PREFERENCES} types can be set", param="preferences")
    return await list_preferences(session, caller)


async def purge_notifications(database: Database) -> None:
    """Delete the notifications that are older than `KEEP`."""
    while True:
        async with database.write() as session:
            if await crud.delete_before(session, now() - KEEP, _AT_ONCE) < _AT_ONCE:
                return


async def _sees(session: ReadSession, caller: Caller, message: Message) -> bool:
    scope = _scope_of(message)
    if message.project_id is None:
        return scope is None or caller.may(scope)
    return await is_reached(session, caller, message.project_id, scope)


def _scope_of(message: Message) -> Scope | None:
    """Return what must be held; in a project, what lies in none is not asked about."""
    scope = _SCOPES.get(message.target[0]) if message.target else None
    return scope if message.project_id is None or scope is Scope.ENDPOINT_VIEW else None


def _row(message: Message, caller: Caller) -> Notification:
    target_type, target_id = message.target or (None, None)
    return Notification(
        tenant_id=caller.tenant_id,
        user_id=caller.user_id,
        type=message.type,
        title=message.title,
        message=message.message,
        status=message.status,
        icon=message.icon,
        tag=message.tag,
        target_type=target_type,
        target_id=target_id,
        workflow_id=message.workflow_id,
        project_id=message.project_id,
        scope=_scope_of(message),
    )
