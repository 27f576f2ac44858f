from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, ForeignKey, Index, String, UniqueConstraint, and_, func, literal_column
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from budapp.commons.announcing import AltersReach
from budapp.commons.auditing import Audited
from budapp.commons.database import Base, TenantOwned, not_deleted
from budapp.commons.feeding import FeedsGateway


class ProjectStatus(StrEnum):
    ACTIVE = "active"
    DELETED = "deleted"


class ProjectType(StrEnum):
    CLIENT_APP = "client_app"
    ADMIN_APP = "admin_app"


class Project(TenantOwned, Base):
    """What deployments, keys and people are gathered in."""

    __tablename__ = "project"
    audited = Audited("project", name="name")
    feeds_gateway = FeedsGateway({"project": ("id",)}, when=("status", "project_type"))
    __table_args__ = (
        CheckConstraint("status in ('active', 'deleted')", name="status"),
        CheckConstraint("project_type in ('client_app', 'admin_app')", name="project_type"),
    )

    name: Mapped[str]
    description: Mapped[str | None]
    tags: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, default=list)
    icon: Mapped[str | None]
    status: Mapped[str] = mapped_column(default=ProjectStatus.ACTIVE)
    project_type: Mapped[str]
    benchmark: Mapped[bool] = mapped_column(default=False)
    created_by: Mapped[UUID] = mapped_column(ForeignKey("user.id"))


class ProjectMember(TenantOwned, Base):
    """A user who takes part in a project, and what they may do in there."""

    __tablename__ = "project_member"
    audited = Audited("permission", action="permission_changed")
    feeds_gateway = FeedsGateway({"owner": ("user_id",)})
    alters_reach = AltersReach("user_id")
    __table_args__ = (UniqueConstraint("project_id", "user_id"),)

    project_id: Mapped[UUID] = mapped_column(ForeignKey("project.id", ondelete="CASCADE"))
    user_id: Mapped[UUID] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"))
    scopes: Mapped[list[str]] = mapped_column(ARRAY(String), default=list)


listed = and_(not_deleted(Project), ~Project.benchmark)
"""The condition for projects that lists show; their indexes hold no others."""

# For lists of one type, by age and by name; for counting one type; and for all that somebody has access to.
_type = (Project.tenant_id, Project.project_type)
Index("ix_project_listed_created_at", *_type, Project.created_at.desc(), Project.id.desc(), postgresql_where=listed)
Index("ix_project_listed_name", *_type, Project.name, Project.id, postgresql_where=listed)
Index("ix_project_listed_count", *_type, postgresql_where=listed)
Index("ix_project_listed", Project.tenant_id, Project.created_at.desc(), Project.id.desc(), postgresql_where=listed)
Index("ix_project_member_user_id_project_id", ProjectMember.user_id, ProjectMember.project_id)
Index(
    "uq_project_admin_app_name",
    Project.tenant_id,
    func.lower(Project.name),
    unique=True,
    postgresql_where=and_(listed, Project.project_type == literal_column("'admin_app'")),
)
Index(
    "uq_project_client_app_name",
    Project.created_by,
    func.lower(Project.name),
    unique=True,
    postgresql_where=and_(listed, Project.project_type == literal_column("'client_app'")),
)
