from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Column, DateTime, Identity, Index, String, Table, Uuid, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from budapp.commons.auditing import NotAudited
from budapp.commons.database import Base

PLATFORM = UUID(int=0)
"""The chain of entries that belong to no tenant."""


class Action(StrEnum):
    """What was done."""

    CREATE = "create"
    READ = "read"
    UPDATE = "update"
    DELETE = "delete"
    LOGIN = "login"
    LOGOUT = "logout"
    LOGIN_FAILED = "login_failed"
    TOKEN_REFRESH = "token_refresh"  # noqa: S105
    PASSWORD_CHANGE = "password_change"  # noqa: S105
    PASSWORD_RESET = "password_reset"  # noqa: S105
    ACCESS_GRANTED = "access_granted"
    ACCESS_DENIED = "access_denied"
    PERMISSION_CHANGED = "permission_changed"
    ROLE_ASSIGNED = "role_assigned"
    ROLE_REMOVED = "role_removed"
    MODEL_DEPLOYED = "model_deployed"
    MODEL_UNDEPLOYED = "model_undeployed"
    ENDPOINT_PUBLISHED = "endpoint_published"
    ENDPOINT_UNPUBLISHED = "endpoint_unpublished"
    INFERENCE_REQUEST = "inference_request"
    CLUSTER_REGISTERED = "cluster_registered"
    CLUSTER_UPDATED = "cluster_updated"
    CLUSTER_DELETED = "cluster_deleted"
    CLUSTER_HEALTH_CHECK = "cluster_health_check"
    DATA_EXPORT = "data_export"
    DATA_IMPORT = "data_import"
    DATA_DOWNLOAD = "data_download"
    DATA_UPLOAD = "data_upload"
    CONFIG_CHANGED = "config_changed"
    SYSTEM_ERROR = "system_error"
    WORKFLOW_STARTED = "workflow_started"
    WORKFLOW_COMPLETED = "workflow_completed"
    WORKFLOW_FAILED = "workflow_failed"


class ResourceType(StrEnum):
    """What it was done to."""

    USER = "user"
    PROJECT = "project"
    MODEL = "model"
    ENDPOINT = "endpoint"
    DEPLOYMENT = "deployment"
    DATASET = "dataset"
    CLUSTER = "cluster"
    SESSION = "session"
    TOKEN = "token"  # noqa: S105
    ROLE = "role"
    PERMISSION = "permission"
    API_KEY = "api_key"
    WORKFLOW = "workflow"
    JOB = "job"
    TASK = "task"
    EXPERIMENT = "experiment"
    CONFIG = "config"
    SETTING = "setting"
    SECRET = "secret"  # noqa: S105
    FILE = "file"
    BUCKET = "bucket"
    DATABASE = "database"
    METRIC = "metric"
    LOG = "log"
    ALERT = "alert"
    NOTIFICATION = "notification"
    SYSTEM = "system"
    SERVICE = "service"
    GUARDRAIL = "guardrail"


class AuditEntry(Base):
    """Who did what, when and from where; never changed. Ids are no foreign keys: entries outlive what they tell of."""

    __tablename__ = "audit_trail"
    audited = NotAudited("the trail itself")

    tenant_id: Mapped[UUID | None]
    user_id: Mapped[UUID | None]
    actioned_by: Mapped[UUID | None]
    action: Mapped[str] = mapped_column(String(50))
    resource_type: Mapped[str] = mapped_column(String(50))
    resource_id: Mapped[UUID | None]
    resource_name: Mapped[str | None] = mapped_column(String(255))
    timestamp: Mapped[datetime]
    details: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    previous_state: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    new_state: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    source: Mapped[str] = mapped_column(String(20))
    ip_address: Mapped[str | None] = mapped_column(String(45))
    user_agent: Mapped[str | None] = mapped_column(String(200))
    request_id: Mapped[str | None] = mapped_column(String(64))
    key_id: Mapped[str]
    record_hash: Mapped[str] = mapped_column(String(64))


class AuditCheckpoint(Base):
    """Where verification begins once the entries up to `position` have been removed after their time."""

    __tablename__ = "audit_checkpoint"
    audited = NotAudited("signed, and made with an entry of its own")

    chain_id: Mapped[UUID]
    position: Mapped[int] = mapped_column(BigInteger)
    chain_hash: Mapped[str] = mapped_column(String(64))
    key_id: Mapped[str]
    signature: Mapped[str] = mapped_column(String(64))


audit_unsealed = Table(
    "audit_unsealed",
    Base.metadata,
    Column("number", BigInteger, Identity(always=True), primary_key=True),
    Column("chain_id", Uuid, nullable=False),
    Column("entry_id", Uuid, nullable=False),
    Column("record_hash", String(64), nullable=False),
)
"""Entries that wait for their place in the chain; a trigger of the trail fills it."""

audit_seal = Table(
    "audit_seal",
    Base.metadata,
    Column("chain_id", Uuid, primary_key=True),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("entry_id", Uuid, nullable=False, unique=True),
    Column("record_hash", String(64), nullable=False),
    Column("key_id", String, nullable=False),
    Column("chain_hash", String(64), nullable=False),
    Column("sealed_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)
"""The chain of each tenant: the entries in the order in which they were sealed, each bound to the one before."""

_newest = (AuditEntry.timestamp.desc(), AuditEntry.id.desc())
Index("ix_audit_trail_timestamp", AuditEntry.tenant_id, *_newest)
Index("ix_audit_trail_user_id", AuditEntry.tenant_id, AuditEntry.user_id, *_newest)
Index("ix_audit_trail_actioned_by", AuditEntry.tenant_id, AuditEntry.actioned_by, *_newest)
Index("ix_audit_trail_action", AuditEntry.tenant_id, AuditEntry.action, *_newest)
Index("ix_audit_trail_resource_id", AuditEntry.tenant_id, AuditEntry.resource_id, *_newest)
Index("uq_audit_checkpoint", AuditCheckpoint.chain_id, AuditCheckpoint.position, unique=True)
