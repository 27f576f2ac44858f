from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, ForeignKey, Index, Uuid, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from budapp.commons.auditing import Audited
from budapp.commons.database import Base, TenantOwned
from budapp.commons.feeding import FeedsGateway


class Router(TenantOwned, Base):
    """A name in a project under which several endpoints take requests."""

    __tablename__ = "router"
    audited = Audited("endpoint", name="name")
    feeds_gateway = FeedsGateway({"router": ("id",), "project": ("project_id",)}, when=("name",))

    project_id: Mapped[UUID] = mapped_column(ForeignKey("project.id", ondelete="CASCADE"))
    name: Mapped[str]
    description: Mapped[str]
    tags: Mapped[list[dict[str, Any]] | None] = mapped_column(JSONB(none_as_null=True))
    routing_strategy: Mapped[list[dict[str, Any]] | None] = mapped_column(JSONB(none_as_null=True))
    created_by: Mapped[UUID] = mapped_column(ForeignKey("user.id"))


class RouterEndpoint(TenantOwned, Base):
    """An endpoint that takes requests of a router: its share, its limits, and where requests go when it fails."""

    __tablename__ = "router_endpoint"
    audited = Audited("endpoint")
    feeds_gateway = FeedsGateway({"router": ("router_id",)})
    __table_args__ = (
        CheckConstraint("weight >= 0 and tpm >= 0 and rpm >= 0 and cool_down_period >= 0", name="limits"),
    )

    router_id: Mapped[UUID] = mapped_column(ForeignKey("router.id", ondelete="CASCADE"))
    endpoint_id: Mapped[UUID] = mapped_column(ForeignKey("endpoint.id", ondelete="CASCADE"))
    fallback_endpoint_ids: Mapped[list[UUID] | None] = mapped_column(ARRAY(Uuid))
    tpm: Mapped[float | None]
    rpm: Mapped[float | None]
    weight: Mapped[float | None]
    cool_down_period: Mapped[int | None]
    position: Mapped[int]


Index("uq_router_project_id_name", Router.project_id, func.lower(Router.name), unique=True)
Index("ix_router_project_id_created_at", Router.project_id, Router.created_at.desc(), Router.id.desc())
Index("uq_router_endpoint_router_id_endpoint_id", RouterEndpoint.router_id, RouterEndpoint.endpoint_id, unique=True)
Index("ix_router_endpoint_endpoint_id", RouterEndpoint.endpoint_id)
