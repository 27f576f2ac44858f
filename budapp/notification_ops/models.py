from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, literal_column
from sqlalchemy.orm import Mapped, mapped_column

from budapp.commons.announcing import Announced, columns
from budapp.commons.auditing import NotAudited
from budapp.commons.database import Base, TenantOwned


class Notification(TenantOwned, Base):
    """What one person was told, as long as they may see what it is about.

    Attributes:
        scope: what must be held to see it: in its project, or where it has none in the tenant.
    """

    __tablename__ = "notification"
    audited = NotAudited("tells people of changes that leave entries of their own")
    announced = Announced(
        "notification",
        made="notification",
        changed={},
        shows=columns(
            *("type", "title", "message", "status", "icon", "tag"),
            *("target_type", "target_id", "workflow_id", "project_id"),
        ),
        project="project_id",
        scope_column="scope",
        owner="user_id",
    )

    user_id: Mapped[UUID] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"))
    type: Mapped[str]
    title: Mapped[str]
    message: Mapped[str]
    status: Mapped[str]
    icon: Mapped[str | None]
    tag: Mapped[str | None]
    target_type: Mapped[str | None]
    target_id: Mapped[UUID | None]
    workflow_id: Mapped[UUID | None]
    project_id: Mapped[UUID | None] = mapped_column(ForeignKey("project.id", ondelete="CASCADE"))
    scope: Mapped[str | None]
    is_read: Mapped[bool] = mapped_column(default=False)
    read_at: Mapped[datetime | None]


class NotificationPreference(TenantOwned, Base):
    """How one person wants to be told of what happens of one type."""

    __tablename__ = "notification_preference"
    audited = NotAudited("how somebody wants to be told changes nothing of what they may see")
    __table_args__ = (
        UniqueConstraint("user_id", "type"),
        CheckConstraint("type ~ '^[a-z0-9_]{1,100}$'", name="type"),
    )

    user_id: Mapped[UUID] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"))
    type: Mapped[str]
    in_app: Mapped[bool]
    mail: Mapped[bool]


_newest = (Notification.created_at.desc(), Notification.id.desc())

Index("ix_notification_user_id_is_read", Notification.user_id, Notification.is_read, *_newest)
Index("ix_notification_created_at", Notification.created_at)
Index("ix_notification_project_id", Notification.project_id)
Index(
    "ix_notification_unread",
    Notification.user_id,
    postgresql_where=Notification.is_read == literal_column("false"),
)
