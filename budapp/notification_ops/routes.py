from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from budapp.commons.access import Caller, SignedIn, SignedInAccess
from budapp.commons.database import Read, Write
from budapp.commons.idempotency import IdempotentRoute
from budapp.notification_ops import services
from budapp.notification_ops.schemas import (
    NotificationList,
    NotificationQuery,
    NotificationsRead,
    PreferenceList,
    PreferencesUpdate,
    UnreadCount,
)

router = APIRouter(prefix="/notifications", tags=["notifications"], route_class=IdempotentRoute)

Owner = Annotated[Caller, Depends(SignedInAccess(row=services.get_notification))]


@router.get("")
async def list_notifications(
    caller: SignedIn, session: Read, query: Annotated[NotificationQuery, Query()]
) -> NotificationList:
    """List what the caller was told: the unread first, then the newest.

    What is about something that the caller may not see any more, such as a project that they have left, is not shown.
    """
    return NotificationList.of(await services.list_notifications(session, caller, query))


@router.get("/unread-count")
async def count_unread(caller: SignedIn, session: Read) -> UnreadCount:
    """Count the caller's unread notifications."""
    return UnreadCount(unread=await services.count_unread(session, caller))


@router.get("/preferences")
async def list_preferences(caller: SignedIn, session: Read) -> PreferenceList:
    """List how the caller is told of each type of notification: in the application, by mail, both or not at all."""
    return PreferenceList(preferences=await services.list_preferences(session, caller))


@router.put("/preferences")
async def set_preferences(data: PreferencesUpdate, caller: SignedIn, session: Write) -> PreferenceList:
    """Set how the caller is told of some types of notifications; the other types stay as they are."""
    found = await services.set_preferences(session, caller, data.preferences)
    return PreferenceList(message="Preferences set", preferences=found)


@router.post("/read-all")
async def mark_all_read(caller: SignedIn, session: Write) -> NotificationsRead:
    """Mark all of the caller's notifications as read."""
    return NotificationsRead(read=await services.mark_all_read(session, caller))


@router.post("/{notification_id}/read")
async def mark_read(notification_id: UUID, caller: Owner, session: Write) -> NotificationsRead:
    """Mark one of the caller's notifications as read."""
    return NotificationsRead(read=await services.mark_read(session, caller, notification_id))
