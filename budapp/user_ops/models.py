from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, ForeignKey, Index, String, UniqueConstraint, func, true
from sqlalchemy.orm import Mapped, mapped_column, relationship

from budapp.commons.auditing import Audited, NotAudited
from budapp.commons.database import Base, TenantOwned
from budapp.commons.feeding import FeedsGateway
from budapp.commons.scopes import Source


class UserStatus(StrEnum):
    ACTIVE = "active"
    DELETED = "deleted"
    INVITED = "invited"


class ServiceRights(StrEnum):
    """What a service account holds its rights by: its role, or only what it was given in single projects."""

    ROLE = "role"
    PROJECTS = "projects"


class CustomRole(TenantOwned, Base):
    """A named set of scopes that stands in for what somebody's built-in role holds."""

    __tablename__ = "custom_role"
    audited = Audited("role", name="name")
    feeds_gateway = FeedsGateway({"role": ("id",)}, when=("scopes",))

    name: Mapped[str]
    description: Mapped[str | None]
    scopes: Mapped[list[str]] = mapped_column(ARRAY(String), default=list)


_GIVES_RIGHTS = ("role", "user_type", "status", "custom_role_id", "service_rights")


class User(TenantOwned, Base):
    """A person of a tenant; Keycloak holds the password, under `auth_id`.

    With `service_rights` it is a service account in place of a person: in no realm of Keycloak, nobody who signs in,
    and not among the people that lists show. A disabled one has the status `deleted`, as people have.
    """

    __tablename__ = "user"
    audited = Audited("user", name="name")
    feeds_gateway = FeedsGateway({"owner": ("id",)}, when=_GIVES_RIGHTS)
    __table_args__ = (
        CheckConstraint("status in ('active', 'deleted', 'invited')", name="status"),
        CheckConstraint("user_type in ('admin', 'client')", name="user_type"),
        CheckConstraint("role in ('admin', 'super_admin', 'developer', 'devops', 'tester')", name="role"),
        CheckConstraint("service_rights in ('role', 'projects')", name="service_rights"),
        CheckConstraint(
            "custom_role_id is null or (role <> 'super_admin' and user_type = 'admin')", name="custom_role"
        ),
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
    custom_role_id: Mapped[UUID | None] = mapped_column(ForeignKey("custom_role.id"), index=True)
    service_rights: Mapped[str | None]
    custom_role: Mapped[CustomRole | None] = relationship(foreign_keys=custom_role_id, lazy="selectin")

    def custom_source(self) -> Source | None:
        """Return what the custom role holds, where there is one."""
        role = self.custom_role
        return Source("custom role", role.name, role.scopes) if role is not None else None


class RevokedSession(Base):
    """A Keycloak session that was ended; its access tokens count no more, though they have not expired yet."""

    __tablename__ = "revoked_session"
    audited = NotAudited("recorded with what ended the session")

    session_id: Mapped[str] = mapped_column(unique=True)
    expires_at: Mapped[datetime] = mapped_column(index=True)


class UserPermission(TenantOwned, Base):
    """What was decided on a scope for one user beside the role: granted to them, or withdrawn from them."""

    __tablename__ = "user_permission"
    audited = Audited("permission", name="scope", action="permission_changed")
    feeds_gateway = FeedsGateway({"owner": ("user_id",)})
    __table_args__ = (UniqueConstraint("user_id", "scope"),)

    user_id: Mapped[UUID] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"))
    scope: Mapped[str]
    granted: Mapped[bool] = mapped_column(default=True, server_default=true())


Index("uq_custom_role_tenant_id_name", CustomRole.tenant_id, func.lower(CustomRole.name), unique=True)
Index("uq_user_tenant_id_email", User.tenant_id, func.lower(User.email), unique=True)
Index("ix_user_tenant_id_created_at", User.tenant_id, User.created_at.desc(), User.id.desc())
