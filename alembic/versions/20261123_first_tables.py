"""first tables

Revision ID: 0001
Revises:
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0001"
down_revision: str | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "idempotency_record",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("request_hash", sa.String(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("content_type", sa.String(), nullable=True),
        sa.Column("body_encrypted", sa.String(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_idempotency_record")),
        sa.UniqueConstraint("tenant_id", "user_id", "key", name=op.f("uq_idempotency_record_tenant_id_user_id_key")),
    )
    op.create_index("ix_idempotency_record_expires_at", "idempotency_record", ["expires_at"], unique=False)
    op.create_table(
        "inbox_message",
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("message_id", sa.String(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inbox_message")),
        sa.UniqueConstraint("source", "message_id", name=op.f("uq_inbox_message_source_message_id")),
    )
    op.create_index("ix_inbox_message_created_at", "inbox_message", ["created_at"], unique=False)
    op.create_table(
        "outbox_message",
        sa.Column("position", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("aggregate", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("target", sa.String(), nullable=False),
        sa.Column("method", sa.String(), nullable=True),
        sa.Column("path", sa.String(), nullable=True),
        sa.Column("payload", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("payload_encrypted", sa.String(), nullable=True),
        sa.Column("request_id", sa.String(), nullable=True),
        sa.Column("traceparent", sa.String(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_error", sa.String(), nullable=True),
        sa.Column("dead_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lock_token", sa.Uuid(), nullable=True),
        sa.Column("lock_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind in ('publish', 'invoke')", name=op.f("ck_outbox_message_kind")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox_message")),
    )
    op.create_index(
        "ix_outbox_message_aggregate_position_waiting",
        "outbox_message",
        ["aggregate", "position"],
        unique=False,
        postgresql_where=sa.text("dead_at IS NULL"),
    )
    op.create_index(
        "ix_outbox_message_position_waiting",
        "outbox_message",
        ["position"],
        unique=False,
        postgresql_where=sa.text("dead_at IS NULL"),
    )
    op.create_table(
        "revoked_session",
        sa.Column("session_id", sa.String(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_revoked_session")),
        sa.UniqueConstraint("session_id", name=op.f("uq_revoked_session_session_id")),
    )
    op.create_index(op.f("ix_revoked_session_expires_at"), "revoked_session", ["expires_at"], unique=False)
    op.create_table(
        "tenant",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("realm_name", sa.String(), nullable=False),
        sa.Column("tenant_identifier", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=True),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tenant")),
        sa.UniqueConstraint("realm_name", name=op.f("uq_tenant_realm_name")),
        sa.UniqueConstraint("tenant_identifier", name=op.f("uq_tenant_tenant_identifier")),
    )
    op.create_index("uq_tenant_name", "tenant", [sa.literal_column("lower(name)")], unique=True)
    op.create_table(
        "tenant_client",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("client_id", sa.String(), nullable=False),
        sa.Column("client_named_id", sa.String(), nullable=False),
        sa.Column("client_secret_encrypted", sa.String(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenant.id"], name=op.f("fk_tenant_client_tenant_id_tenant"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tenant_client")),
        sa.UniqueConstraint("tenant_id", name=op.f("uq_tenant_client_tenant_id")),
    )
    op.create_table(
        "user",
        sa.Column("auth_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("user_type", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("color", sa.String(), nullable=False),
        sa.Column("company", sa.String(), nullable=True),
        sa.Column("purpose", sa.String(), nullable=True),
        sa.Column("first_login", sa.Boolean(), nullable=False),
        sa.Column("is_reset_password", sa.Boolean(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "role in ('admin', 'super_admin', 'developer', 'devops', 'tester')", name=op.f("ck_user_role")
        ),
        sa.CheckConstraint("status in ('active', 'deleted', 'invited')", name=op.f("ck_user_status")),
        sa.CheckConstraint("user_type in ('admin', 'client')", name=op.f("ck_user_user_type")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_user_tenant_id_tenant")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user")),
        sa.UniqueConstraint("auth_id", name=op.f("uq_user_auth_id")),
    )
    op.create_index(
        "ix_user_tenant_id_created_at",
        "user",
        ["tenant_id", sa.literal_column("created_at DESC"), sa.literal_column("id DESC")],
        unique=False,
    )
    op.create_index("uq_user_tenant_id_email", "user", ["tenant_id", sa.literal_column("lower(email)")], unique=True)
    op.create_table(
        "cluster",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("icon", sa.String(), nullable=False),
        sa.Column("ingress_url", sa.String(), nullable=True),
        sa.Column("cluster_type", sa.String(), nullable=False),
        sa.Column("cluster_id", sa.Uuid(), nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("status_sync_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("cpu_count", sa.Integer(), nullable=False),
        sa.Column("gpu_count", sa.Integer(), nullable=False),
        sa.Column("hpu_count", sa.Integer(), nullable=False),
        sa.Column("cpu_total_workers", sa.Integer(), nullable=False),
        sa.Column("cpu_available_workers", sa.Integer(), nullable=False),
        sa.Column("gpu_total_workers", sa.Integer(), nullable=False),
        sa.Column("gpu_available_workers", sa.Integer(), nullable=False),
        sa.Column("hpu_total_workers", sa.Integer(), nullable=False),
        sa.Column("hpu_available_workers", sa.Integer(), nullable=False),
        sa.Column("total_nodes", sa.Integer(), nullable=False),
        sa.Column("available_nodes", sa.Integer(), nullable=False),
        sa.Column("cloud_provider_id", sa.Uuid(), nullable=True),
        sa.Column("credential_id", sa.Uuid(), nullable=True),
        sa.Column("region", sa.String(), nullable=True),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("cluster_type in ('ON_PREM', 'CLOUD')", name=op.f("ck_cluster_cluster_type")),
        sa.CheckConstraint(
            "status in ('available', 'not_available', 'error', 'deleting', 'deleted')", name=op.f("ck_cluster_status")
        ),
        sa.ForeignKeyConstraint(["created_by"], ["user.id"], name=op.f("fk_cluster_created_by_user")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_cluster_tenant_id_tenant")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cluster")),
    )
    op.create_index(
        "ix_cluster_tenant_id_created_at",
        "cluster",
        ["tenant_id", sa.literal_column("created_at DESC"), sa.literal_column("id DESC")],
        unique=False,
    )
    op.create_table(
        "project",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=True),
        sa.Column("tags", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("icon", sa.String(), nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("project_type", sa.String(), nullable=False),
        sa.Column("benchmark", sa.Boolean(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("project_type in ('client_app', 'admin_app')", name=op.f("ck_project_project_type")),
        sa.CheckConstraint("status in ('active', 'deleted')", name=op.f("ck_project_status")),
        sa.ForeignKeyConstraint(["created_by"], ["user.id"], name=op.f("fk_project_created_by_user")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_project_tenant_id_tenant")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_project")),
    )
    op.create_index(
        "ix_project_listed",
        "project",
        ["tenant_id", sa.literal_column("created_at DESC"), sa.literal_column("id DESC")],
        unique=False,
        postgresql_where=sa.text("status != 'deleted' AND NOT benchmark"),
    )
    op.create_index(
        "ix_project_listed_count",
        "project",
        ["tenant_id", "project_type"],
        unique=False,
        postgresql_where=sa.text("status != 'deleted' AND NOT benchmark"),
    )
    op.create_index(
        "ix_project_listed_created_at",
        "project",
        ["tenant_id", "project_type", sa.literal_column("created_at DESC"), sa.literal_column("id DESC")],
        unique=False,
        postgresql_where=sa.text("status != 'deleted' AND NOT benchmark"),
    )
    op.create_index(
        "ix_project_listed_name",
        "project",
        ["tenant_id", "project_type", "name", "id"],
        unique=False,
        postgresql_where=sa.text("status != 'deleted' AND NOT benchmark"),
    )
    op.create_index(
        "uq_project_admin_app_name",
        "project",
        ["tenant_id", sa.literal_column("lower(name)")],
        unique=True,
        postgresql_where=sa.text("status != 'deleted' AND NOT benchmark AND project_type = 'admin_app'"),
    )
    op.create_index(
        "uq_project_client_app_name",
        "project",
        ["created_by", sa.literal_column("lower(name)")],
        unique=True,
        postgresql_where=sa.text("status != 'deleted' AND NOT benchmark AND project_type = 'client_app'"),
    )
    op.create_table(
        "user_permission",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_user_permission_tenant_id_tenant")),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user.id"], name=op.f("fk_user_permission_user_id_user"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user_permission")),
        sa.UniqueConstraint("user_id", "scope", name=op.f("uq_user_permission_user_id_scope")),
    )
    op.create_table(
        "credential",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("credential_type", sa.String(), nullable=False),
        sa.Column("hashed_key", sa.String(), nullable=False),
        sa.Column("encrypted_key", sa.String(), nullable=False),
        sa.Column("expiry", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("max_budget", sa.Double(), nullable=True),
        sa.Column("model_budgets", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("ip_whitelist", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "credential_type in ('client_app', 'admin_app')", name=op.f("ck_credential_credential_type")
        ),
        sa.ForeignKeyConstraint(
            ["project_id"], ["project.id"], name=op.f("fk_credential_project_id_project"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_credential_tenant_id_tenant")),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_credential_user_id_user"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credential")),
        sa.UniqueConstraint("hashed_key", name=op.f("uq_credential_hashed_key")),
    )
    op.create_index("ix_credential_user_id", "credential", ["user_id"], unique=False)
    op.create_index(
        "uq_credential_project_id_name", "credential", ["project_id", sa.literal_column("lower(name)")], unique=True
    )
    op.create_table(
        "endpoint",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("model_id", sa.Uuid(), nullable=False),
        sa.Column("cluster_id", sa.Uuid(), nullable=True),
        sa.Column("bud_cluster_id", sa.Uuid(), nullable=True),
        sa.Column("credential_id", sa.Uuid(), nullable=True),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("namespace", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("status_sync_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("active_replicas", sa.Integer(), nullable=False),
        sa.Column("total_replicas", sa.Integer(), nullable=False),
        sa.Column("number_of_nodes", sa.Integer(), nullable=False),
        sa.Column("node_list", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("supported_endpoints", sa.ARRAY(sa.String()), nullable=False),
        sa.Column("model_configuration", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("deployment_config", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("deployment_settings", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("inference_cost", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("cache_enabled", sa.Boolean(), nullable=False),
        sa.Column("cache_config", sa.String(), nullable=True),
        sa.Column("is_deprecated", sa.Boolean(), nullable=False),
        sa.Column("is_published", sa.Boolean(), nullable=False),
        sa.Column("published_date", sa.DateTime(timezone=True), nullable=True),
        sa.Column("published_by", sa.Uuid(), nullable=True),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "status in ('running', 'failure', 'deploying', 'unhealthy', 'deleting', 'deleted', 'pending')",
            name=op.f("ck_endpoint_status"),
        ),
        sa.ForeignKeyConstraint(["cluster_id"], ["cluster.id"], name=op.f("fk_endpoint_cluster_id_cluster")),
        sa.ForeignKeyConstraint(["created_by"], ["user.id"], name=op.f("fk_endpoint_created_by_user")),
        sa.ForeignKeyConstraint(
            ["project_id"], ["project.id"], name=op.f("fk_endpoint_project_id_project"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["published_by"], ["user.id"], name=op.f("fk_endpoint_published_by_user")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_endpoint_tenant_id_tenant")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_endpoint")),
    )
    op.create_index(
        "ix_endpoint_created_by",
        "endpoint",
        ["created_by"],
        unique=False,
        postgresql_where=sa.text("status != 'deleted'"),
    )
    op.create_index(
        "ix_endpoint_project_id_cluster_id",
        "endpoint",
        ["project_id", "cluster_id"],
        unique=False,
        postgresql_where=sa.text("status != 'deleted'"),
    )
    op.create_table(
        "project_member",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("scopes", sa.ARRAY(sa.String()), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["project.id"], name=op.f("fk_project_member_project_id_project"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_project_member_tenant_id_tenant")),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user.id"], name=op.f("fk_project_member_user_id_user"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_project_member")),
        sa.UniqueConstraint("project_id", "user_id", name=op.f("uq_project_member_project_id_user_id")),
    )
    op.create_index("ix_project_member_user_id_project_id", "project_member", ["user_id", "project_id"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_project_member_user_id_project_id", table_name="project_member")
    op.drop_table("project_member")
    op.drop_index(
        "ix_endpoint_project_id_cluster_id", table_name="endpoint", postgresql_where=sa.text("status != 'deleted'")
    )
    op.drop_index("ix_endpoint_created_by", table_name="endpoint", postgresql_where=sa.text("status != 'deleted'"))
    op.drop_table("endpoint")
    op.drop_index("uq_credential_project_id_name", table_name="credential")
    op.drop_index("ix_credential_user_id", table_name="credential")
    op.drop_table("credential")
    op.drop_table("user_permission")
    op.drop_index(
        "uq_project_client_app_name",
        table_name="project",
        postgresql_where=sa.text("status != 'deleted' AND NOT benchmark AND project_type = 'client_app'"),
    )
    op.drop_index(
        "uq_project_admin_app_name",
        table_name="project",
        postgresql_where=sa.text("status != 'deleted' AND NOT benchmark AND project_type = 'admin_app'"),
    )
    op.drop_index(
        "ix_project_listed_name",
        table_name="project",
        postgresql_where=sa.text("status != 'deleted' AND NOT benchmark"),
    )
    op.drop_index(
        "ix_project_listed_created_at",
        table_name="project",
        postgresql_where=sa.text("status != 'deleted' AND NOT benchmark"),
    )
    op.drop_index(
        "ix_project_listed_count",
        table_name="project",
        postgresql_where=sa.text("status != 'deleted' AND NOT benchmark"),
    )
    op.drop_index(
        "ix_project_listed", table_name="project", postgresql_where=sa.text("status != 'deleted' AND NOT benchmark")
    )
    op.drop_table("project")
    op.drop_index("ix_cluster_tenant_id_created_at", table_name="cluster")
    op.drop_table("cluster")
    op.drop_index("uq_user_tenant_id_email", table_name="user")
    op.drop_index("ix_user_tenant_id_created_at", table_name="user")
    op.drop_table("user")
    op.drop_table("tenant_client")
    op.drop_index("uq_tenant_name", table_name="tenant")
    op.drop_table("tenant")
    op.drop_index(op.f("ix_revoked_session_expires_at"), table_name="revoked_session")
    op.drop_table("revoked_session")
    op.drop_index(
        "ix_outbox_message_position_waiting", table_name="outbox_message", postgresql_where=sa.text("dead_at IS NULL")
    )
    op.drop_index(
        "ix_outbox_message_aggregate_position_waiting",
        table_name="outbox_message",
        postgresql_where=sa.text("dead_at IS NULL"),
    )
    op.drop_table("outbox_message")
    op.drop_index("ix_inbox_message_created_at", table_name="inbox_message")
    op.drop_table("inbox_message")
    op.drop_index("ix_idempotency_record_expires_at", table_name="idempotency_record")
    op.drop_table("idempotency_record")
