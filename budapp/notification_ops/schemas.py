from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator

from budapp.commons.paging import Paging
from budapp.commons.schemas import Answer, PageAnswer, Schema

MAX_PREFERENCES = 200

MessageType = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]{1,100}$")]


class NotificationQuery(Paging):
    """Which of the caller's notifications are wanted; the unread ones come first."""

    type: MessageType | None = None
    project_id: UUID | None = None
    is_read: bool | None = None


class NotificationView(Schema):
    """What somebody was told.

    `target_type` and `target_id` say what a click opens, `project_id` where that lies.
    """

    id: UUID
    type: str
    title: str
    message: str
    status: str
    icon: str | None
    tag: str | None = Field(description="A short mark beside it; null for none")
    target_type: str | None = Field(description="What a click opens; null for nothing")
    target_id: UUID | None = Field(description="What a click opens, by id; null for nothing")
    workflow_id: UUID | None
    project_id: UUID | None
    is_read: bool
    read_at: datetime | None
    created_at: datetime


class NotificationList(PageAnswer):
    object: Literal["notification.list"] = "notification.list"
    message: str = "Notifications found"
    notifications: list[NotificationView]


class UnreadCount(Answer):
    object: Literal["notification.unread"] = "notification.unread"
    message: str = "Unread notifications counted"
    unread: int = Field(description="How many notifications are unread")


class NotificationsRead(Answer):
    """How many notifications were marked."""

    object: Literal["notification.read"] = "notification.read"
    message: str = "Marked as read"
    read: int = Field(description="How many notifications were marked")


class Preference(Schema):
    """How somebody wants to be told of what happens of one type."""

    type: MessageType
    in_app: bool = Field(default=True, description="Whether it is shown in the application")
    mail: bool = Field(default=False, description="Whether it is mailed")


class PreferencesUpdate(Schema):
    """The preferences to set; types that are not named stay as they are."""

    preferences: Annotated[list[Preference], Field(min_length=1, max_length=MAX_PREFERENCES)]

    @model_validator(mode="after")
    def _once_each(self) -> Self:
        types = [preference.type for preference in self.preferences]
        if len(set(types)) < len(types):
            raise ValueError("a type is named twice")
        return self


class PreferenceList(Answer):
    """The preference for each type that is known or was set; a type that is not listed is shown and not mailed."""

    object: Literal["notification.preferences"] = "notification.preferences"
    message: str = "Preferences found"
    preferences: list[Preference]
