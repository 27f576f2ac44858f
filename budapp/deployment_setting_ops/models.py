from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from budapp.commons.auditing import NotAudited
from budapp.commons.database import Base, TenantOwned


class DeploymentSettingsRevision(TenantOwned, Base):
    """The settings that an endpoint had before a change; the newest is what a rollback goes back to."""

    __tablename__ = "deployment_settings_revision"
    audited = NotAudited("what was; the changes of the endpoint are in the trail")

    endpoint_id: Mapped[UUID] = mapped_column(ForeignKey("endpoint.id", ondelete="CASCADE"))
    settings: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    replaced_by: Mapped[UUID] = mapped_column(ForeignKey("user.id"))


Index(
    "ix_deployment_settings_revision_endpoint_id_created_at",
    DeploymentSettingsRevision.endpoint_id,
    DeploymentSettingsRevision.created_at.desc(),
    DeploymentSettingsRevision.id.desc(),
)
