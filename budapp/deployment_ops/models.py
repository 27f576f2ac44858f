from uuid import UUID

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from budapp.commons.auditing import NotAudited
from budapp.commons.database import Base, TenantOwned


class DeploymentName(TenantOwned, Base):
    """A name of an endpoint that is still to come: it is the workflow's as long as a service works on that."""

    __tablename__ = "deployment_name"
    audited = NotAudited("kept for as long as a deployment takes; the endpoint that comes of it leaves an entry")
    __table_args__ = (UniqueConstraint("tenant_id", "name"),)

    name: Mapped[str]
    workflow_id: Mapped[UUID] = mapped_column(ForeignKey("workflow.id", ondelete="CASCADE"), index=True)
