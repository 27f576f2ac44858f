from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from budapp.commons.database import Base, TenantOwned


class UserStatus(StrEnum):
    ACTIVE = "active"
    DELETED = "deleted"
    INVITED = "invited"


class User(TenantOwned, Base):
    """A person of a tenant; Keycloak holds the password, under `auth_id`."""

    __tablename__ = "user"
    __table_args__ = (
        CheckConstraint("status in ('active', 'deleted', 'invited')", name="status"),
        CheckConstraint("user_type in ('admin', 'client')", name="user_type"),
        CheckConstraint("role in ('admin', 'super_admin', 'developer', 'devops', 'tester')", name="role"),
    )

    auth_id: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    email: Mapped[str]
    role: Mapped[str]
    user_type: Mapped[str]
    status: Mapped[str] = mapped_column(default=UserStatus.INVITED)
    color: Mapped[str]
    company: Mapped[str | None]
    purpose: Mapped[str | None]
    first_login: Mapped[bool] = mapped_column(default=True)
    is_reset_password: Mapped[bool] = mapped_column(default=True)


class RevokedSession(Base):
    """A Keycloak session that was ended; its access tokens count no more, though they have not expired yet."""

    __tablename__ = "revoked_session"

    session_id: Mapped[str] = mapped_column(unique=True)
    expires_at: Mapped[datetime] = mapped_column(index=True)


class UserPermission(TenantOwned, Base):
    """A scope granted to one user beside what the role holds."""

    __tablename__ = "user_permission"
    __table_args__ = (UniqueConstraint("user_id", "scope"),)

    user_id: Mapped[UUID] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"))
    scope: Mapped[str]


Index("uq_user_tenant_id_email", User.tenant_id, func.lower(User.email), unique=True)
Index("ix_user_tenant_id_created_at", User.tenant_id, User.created_at.desc(), User.id.desc())
