from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, ForeignKey, Index, String, UniqueConstraint, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from budapp.commons.auditing import Audited
from budapp.commons.database import Base, TenantOwned, not_deleted
from budapp.commons.feeding import FeedsGateway

_STATUS = "status in ('active', 'disabled', 'deleted')"
_THRESHOLD = "severity_threshold between 0 and 1"


class GuardrailStatus(StrEnum):
    ACTIVE = "active"
    DISABLED = "disabled"
    DELETED = "deleted"


class DeploymentStatus(StrEnum):
    RUNNING = "running"
    FAILURE = "failure"
    DEPLOYING = "deploying"
    UNHEALTHY = "unhealthy"
    DELETING = "deleting"
    DELETED = "deleted"
    PENDING = "pending"


class GuardrailProbe(Base):
    """A kind of harm that texts are looked through for. Without a tenant it is a preset, which nobody changes."""

    __tablename__ = "guardrail_probe"
    audited = Audited("guardrail", name="name")
    feeds_gateway = FeedsGateway({"guardrail_probe": ("id",)}, when=("uri", "status"))
    __table_args__ = (
        CheckConstraint(_STATUS, name="status"),
        CheckConstraint("provider_type in ('cloud', 'bud')", name="provider_type"),
        CheckConstraint("probe_type in ('provider', 'model_scanner', 'custom')", name="probe_type"),
        CheckConstraint("(tenant_id is null) = (created_by is null)", name="owner"),
    )

    tenant_id: Mapped[UUID | None] = mapped_column(ForeignKey("tenant.id"), index=True)
    created_by: Mapped[UUID | None] = mapped_column(ForeignKey("user.id"))
    name: Mapped[str]
    uri: Mapped[str] = mapped_column(unique=True)
    description: Mapped[str | None]
    icon: Mapped[str | None]
    tags: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, default=list)
    status: Mapped[str] = mapped_column(default=GuardrailStatus.ACTIVE)
    provider_id: Mapped[UUID] = mapped_column(ForeignKey("provider.id"), index=True)
    provider_type: Mapped[str]
    probe_type: Mapped[str] = mapped_column(default="provider")


class GuardrailRule(Base):
    """One thing that a probe looks for, with a model where it takes one to see it. Its tenant is the probe's."""

    __tablename__ = "guardrail_rule"
    audited = Audited("guardrail", name="name")
    feeds_gateway = FeedsGateway({"guardrail_probe": ("probe_id",)}, when=("uri", "status", "model_config_json"))
    __table_args__ = (
        CheckConstraint(_STATUS, name="status"),
        CheckConstraint("scanner_type in ('classifier', 'llm', 'pattern', 'static_classifier')", name="scanner_type"),
        CheckConstraint(
            "model_provider_type in ('cloud_model', 'hugging_face', 'url', 'disk')", name="model_provider_type"
        ),
    )

    tenant_id: Mapped[UUID | None] = mapped_column(ForeignKey("tenant.id"), index=True)
    created_by: Mapped[UUID | None] = mapped_column(ForeignKey("user.id"))
    probe_id: Mapped[UUID] = mapped_column(ForeignKey("guardrail_probe.id", ondelete="CASCADE"), index=True)
    name: Mapped[str]
    uri: Mapped[str] = mapped_column(unique=True)
    description: Mapped[str | None]
    icon: Mapped[str | None]
    examples: Mapped[list[str]] = mapped_column(ARRAY(String), default=list)
    status: Mapped[str] = mapped_column(default=GuardrailStatus.ACTIVE)
    guard_types: Mapped[list[str]] = mapped_column(ARRAY(String), default=list)
    modality_types: Mapped[list[str]] = mapped_column(ARRAY(String), default=list)
    scanner_type: Mapped[str | None]
    model_uri: Mapped[str | None]
    model_provider_type: Mapped[str | None]
    is_gated: Mapped[bool] = mapped_column(default=False)
    model_config_json: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))


class GuardrailProfile(TenantOwned, Base):
    """Probes put together in a project, with how severe a finding must be."""

    __tablename__ = "guardrail_profile"
    audited = Audited("guardrail", name="name")
    feeds_gateway = FeedsGateway(
        {"guardrail": ("id",)}, when=("name", "status", "severity_threshold", "guard_types", "project_id")
    )
    __table_args__ = (CheckConstraint(_STATUS, name="status"), CheckConstraint(_THRESHOLD, name="severity_threshold"))

    name: Mapped[str]
    description: Mapped[str | None]
    tags: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, default=list)
    severity_threshold: Mapped[float] = mapped_column(default=0.75)
    guard_types: Mapped[list[str]] = mapped_column(ARRAY(String))
    status: Mapped[str] = mapped_column(default=GuardrailStatus.ACTIVE)
    project_id: Mapped[UUID] = mapped_column(ForeignKey("project.id", ondelete="CASCADE"))
    created_by: Mapped[UUID] = mapped_column(ForeignKey("user.id"))


class GuardrailProfileProbe(TenantOwned, Base):
    """A probe of a profile; what is null is as the profile says."""

    __tablename__ = "guardrail_profile_probe"
    audited = Audited("guardrail")
    feeds_gateway = FeedsGateway({"guardrail": ("profile_id",)})
    __table_args__ = (
        UniqueConstraint("profile_id", "probe_id"),
        CheckConstraint(_THRESHOLD, name="severity_threshold"),
    )

    profile_id: Mapped[UUID] = mapped_column(ForeignKey("guardrail_profile.id", ondelete="CASCADE"))
    probe_id: Mapped[UUID] = mapped_column(ForeignKey("guardrail_probe.id", ondelete="CASCADE"), index=True)
    severity_threshold: Mapped[float | None]
    guard_types: Mapped[list[str] | None] = mapped_column(ARRAY(String))


class GuardrailProfileRule(TenantOwned, Base):
    """What a profile says of a rule: that it is disabled, or something of its own; others are as their probe says."""

    __tablename__ = "guardrail_profile_rule"
    audited = Audited("guardrail")
    feeds_gateway = FeedsGateway({"guardrail": ("profile_id",)})
    __table_args__ = (
        UniqueConstraint("profile_id", "rule_id"),
        CheckConstraint(_STATUS, name="status"),
        CheckConstraint(_THRESHOLD, name="severity_threshold"),
    )

    profile_id: Mapped[UUID] = mapped_column(ForeignKey("guardrail_profile.id", ondelete="CASCADE"))
    rule_id: Mapped[UUID] = mapped_column(ForeignKey("guardrail_rule.id", ondelete="CASCADE"), index=True)
    status: Mapped[str] = mapped_column(default=GuardrailStatus.ACTIVE)
    severity_threshold: Mapped[float | None]
    guard_types: Mapped[list[str] | None] = mapped_column(ARRAY(String))


class GuardrailDeployment(TenantOwned, Base):
    """A profile at work: before an endpoint, or by itself where there is none."""

    __tablename__ = "guardrail_deployment"
    audited = Audited("guardrail", name="name")
    feeds_gateway = FeedsGateway({"guardrail": ("profile_id",), "endpoint": ("endpoint_id",)})
    __table_args__ = (
        CheckConstraint(
            "status in ('running', 'failure', 'deploying', 'unhealthy', 'deleting', 'deleted', 'pending')",
            name="status",
        ),
        CheckConstraint(_THRESHOLD, name="severity_threshold"),
    )

    profile_id: Mapped[UUID] = mapped_column(ForeignKey("guardrail_profile.id", ondelete="CASCADE"), index=True)
    name: Mapped[str]
    description: Mapped[str | None]
    status: Mapped[str] = mapped_column(default=DeploymentStatus.RUNNING)
    project_id: Mapped[UUID] = mapped_column(ForeignKey("project.id", ondelete="CASCADE"), index=True)
    endpoint_id: Mapped[UUID | None] = mapped_column(ForeignKey("endpoint.id", ondelete="CASCADE"))
    credential_id: Mapped[UUID | None] = mapped_column(ForeignKey("proprietary_credential.id"), index=True)
    severity_threshold: Mapped[float | None]
    guard_types: Mapped[list[str] | None] = mapped_column(ARRAY(String))
    created_by: Mapped[UUID] = mapped_column(ForeignKey("user.id"))


class GuardrailRuleDeployment(TenantOwned, Base):
    """The deployment of a model by which a rule of a deployed profile sees what it looks for."""

    __tablename__ = "guardrail_rule_deployment"
    audited = Audited("guardrail")
    feeds_gateway = FeedsGateway({"guardrail": ("profile_id",)})
    __table_args__ = (UniqueConstraint("profile_id", "rule_id"),)

    profile_id: Mapped[UUID] = mapped_column(ForeignKey("guardrail_profile.id", ondelete="CASCADE"))
    rule_id: Mapped[UUID] = mapped_column(ForeignKey("guardrail_rule.id", ondelete="CASCADE"), index=True)
    endpoint_id: Mapped[UUID] = mapped_column(ForeignKey("endpoint.id", ondelete="CASCADE"), index=True)


_alive = not_deleted(GuardrailProfile)
Index(
    "uq_guardrail_profile_tenant_id_name",
    GuardrailProfile.tenant_id,
    func.lower(GuardrailProfile.name),
    unique=True,
    postgresql_where=_alive,
)
Index("ix_guardrail_profile_project_id", GuardrailProfile.project_id, postgresql_where=_alive)
Index(
    "uq_guardrail_deployment_endpoint_id",
    GuardrailDeployment.endpoint_id,
    unique=True,
    postgresql_where=not_deleted(GuardrailDeployment),
)
