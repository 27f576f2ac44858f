from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from budapp.commons.auditing import NotAudited
from budapp.commons.database import Base, TenantOwned


class PartKind(StrEnum):
    """What belongs to a pipeline."""

    EXECUTION = "execution"
    SCHEDULE = "schedule"
    WEBHOOK = "webhook"
    EVENT_TRIGGER = "event_trigger"


class Pipeline(TenantOwned, Base):
    """Whose a pipeline of budpipeline's is; `id` is budpipeline's, which keeps all else about it."""

    __tablename__ = "pipeline"
    audited = NotAudited("what is done with it leaves an entry of its own; it also notes whose an older pipeline is")

    name: Mapped[str]
    created_by: Mapped[UUID] = mapped_column(ForeignKey("user.id"))


class PipelinePart(TenantOwned, Base):
    """Whose an execution, a schedule, a webhook or an event trigger of budpipeline's is; `id` is budpipeline's.

    An execution of a definition that was not kept as a pipeline has none.
    """

    __tablename__ = "pipeline_part"
    audited = NotAudited("what is done with it leaves an entry of its own; it also notes what began by itself")
    __table_args__ = (CheckConstraint("kind in ('execution', 'schedule', 'webhook', 'event_trigger')", name="kind"),)

    kind: Mapped[str]
    pipeline_id: Mapped[UUID | None] = mapped_column(ForeignKey("pipeline.id", ondelete="CASCADE"))
    name: Mapped[str]
    created_by: Mapped[UUID] = mapped_column(ForeignKey("user.id"))


Index("ix_pipeline_created_by", Pipeline.created_by, Pipeline.created_at.desc(), Pipeline.id.desc())
Index("ix_pipeline_tenant_id", Pipeline.tenant_id)
Index("ix_pipeline_part_pipeline_id", PipelinePart.pipeline_id, PipelinePart.kind)
Index("ix_pipeline_part_created_by", PipelinePart.created_by)
