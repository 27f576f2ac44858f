"""the playground, benchmarks, and whom the gateway turns away

Revision ID: 0090
Revises: 0082
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0090"
down_revision: str | None = "0082"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "chat_setting",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("system_prompt", sa.String(), nullable=True),
        sa.Column("temperature", sa.Double(), nullable=False),
        sa.Column("limit_response_length", sa.Boolean(), nullable=False),
        sa.Column("sequence_length", sa.Integer(), nullable=True),
        sa.Column("stop_strings", sa.ARRAY(sa.String()), nullable=True),
        sa.Column("repeat_penalty", sa.Double(), nullable=True),
        sa.Column("top_p_sampling", sa.Double(), nullable=True),
        sa.Column("structured_json_schema", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_chat_setting_tenant_id_tenant")),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user.id"], name=op.f("fk_chat_setting_user_id_user"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_chat_setting")),
    )
    op.create_index(
        "ix_chat_setting_user_id_created_at",
        "chat_setting",
        ["user_id", sa.literal_column("created_at DESC"), sa.literal_column("id DESC")],
        unique=False,
    )
    op.create_table(
        "gateway_blocking_rule",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=True),
        sa.Column("rule_type", sa.String(), nullable=False),
        sa.Column("rule_config", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "rule_type in ('ip_blocking', 'country_blocking', 'user_agent_blocking', 'rate_based_blocking')",
            name=op.f("ck_gateway_blocking_rule_rule_type"),
        ),
        sa.CheckConstraint("status in ('active', 'inactive', 'expired')", name=op.f("ck_gateway_blocking_rule_status")),
        sa.ForeignKeyConstraint(["created_by"], ["user.id"], name=op.f("fk_gateway_blocking_rule_created_by_user")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_gateway_blocking_rule_tenant_id_tenant")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gateway_blocking_rule")),
    )
    op.create_index(
        "ix_gateway_blocking_rule_priority",
        "gateway_blocking_rule",
        ["tenant_id", sa.literal_column("priority DESC"), sa.literal_column("created_at DESC")],
        unique=False,
    )
    op.create_index(
        "uq_gateway_blocking_rule_name",
        "gateway_blocking_rule",
        ["tenant_id", sa.literal_column("lower(name)")],
        unique=True,
    )
    op.create_table(
        "benchmark",
        sa.Column("bud_cluster_benchmark_id", sa.Uuid(), nullable=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("tags", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("eval_with", sa.String(), nullable=False),
        sa.Column("max_input_tokens", sa.Integer(), nullable=True),
        sa.Column("max_output_tokens", sa.Integer(), nullable=True),
        sa.Column("dataset_ids", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("model_id", sa.Uuid(), nullable=False),
        sa.Column("cluster_id", sa.Uuid(), nullable=False),
        sa.Column("nodes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("configuration", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("concurrency", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("result", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("ttft", sa.Double(), nullable=True),
        sa.Column("tpot", sa.Double(), nullable=True),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("eval_with in ('dataset', 'configuration')", name=op.f("ck_benchmark_eval_with")),
        sa.CheckConstraint(
            "status in ('processing', 'success', 'failed', 'cancelled')", name=op.f("ck_benchmark_status")
        ),
        sa.ForeignKeyConstraint(["cluster_id"], ["cluster.id"], name=op.f("fk_benchmark_cluster_id_cluster")),
        sa.ForeignKeyConstraint(["created_by"], ["user.id"], name=op.f("fk_benchmark_created_by_user")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_benchmark_tenant_id_tenant")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_benchmark")),
    )
    op.create_index(
        "ix_benchmark_tenant_id_created_at",
        "benchmark",
        ["tenant_id", sa.literal_column("created_at DESC"), sa.literal_column("id DESC")],
        unique=False,
    )
    op.create_table(
        "chat_session",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("chat_setting_id", sa.Uuid(), nullable=True),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["chat_setting_id"],
            ["chat_setting.id"],
            name=op.f("fk_chat_session_chat_setting_id_chat_setting"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_chat_session_tenant_id_tenant")),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user.id"], name=op.f("fk_chat_session_user_id_user"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_chat_session")),
    )
    op.create_index("ix_chat_session_chat_setting_id", "chat_session", ["chat_setting_id"], unique=False)
    op.create_index(
        "ix_chat_session_user_id_created_at",
        "chat_session",
        ["user_id", sa.literal_column("created_at DESC"), sa.literal_column("id DESC")],
        unique=False,
    )
    op.create_table(
        "benchmark_request_metrics",
        sa.Column("benchmark_id", sa.Uuid(), nullable=False),
        sa.Column("dataset_id", sa.Uuid(), nullable=True),
        sa.Column("latency", sa.Double(), nullable=True),
        sa.Column("success", sa.Boolean(), nullable=False),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column("prompt_len", sa.Integer(), nullable=True),
        sa.Column("output_len", sa.Integer(), nullable=True),
        sa.Column("req_output_throughput", sa.Double(), nullable=True),
        sa.Column("ttft", sa.Double(), nullable=True),
        sa.Column("tpot", sa.Double(), nullable=True),
        sa.Column("itl", sa.ARRAY(sa.Float()), nullable=True),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["benchmark_id"],
            ["benchmark.id"],
            name=op.f("fk_benchmark_request_metrics_benchmark_id_benchmark"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenant.id"], name=op.f("fk_benchmark_request_metrics_tenant_id_tenant")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_benchmark_request_metrics")),
    )
    op.create_index(
        "ix_benchmark_request_metrics_benchmark_id", "benchmark_request_metrics", ["benchmark_id", "id"], unique=False
    )
    op.create_table(
        "chat_message",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("chat_session_id", sa.Uuid(), nullable=False),
        sa.Column("parent_message_id", sa.Uuid(), nullable=True),
        sa.Column("request_id", sa.Uuid(), nullable=False),
        sa.Column("deployment_id", sa.Uuid(), nullable=False),
        sa.Column("prompt", sa.String(), nullable=False),
        sa.Column("response", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("input_tokens", sa.Integer(), nullable=True),
        sa.Column("output_tokens", sa.Integer(), nullable=True),
        sa.Column("total_tokens", sa.Integer(), nullable=True),
        sa.Column("token_per_sec", sa.Double(), nullable=True),
        sa.Column("ttft", sa.Double(), nullable=True),
        sa.Column("tpot", sa.Double(), nullable=True),
        sa.Column("e2e_latency", sa.Double(), nullable=True),
        sa.Column("is_cache", sa.Boolean(), nullable=False),
        sa.Column("harmfullness", sa.Double(), nullable=True),
        sa.Column("faithfulness", sa.Double(), nullable=True),
        sa.Column("feedback", sa.String(), nullable=True),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("feedback in ('upvote', 'downvote')", name=op.f("ck_chat_message_feedback")),
        sa.ForeignKeyConstraint(
            ["chat_session_id"],
            ["chat_session.id"],
            name=op.f("fk_chat_message_chat_session_id_chat_session"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["parent_message_id"],
            ["chat_message.id"],
            name=op.f("fk_chat_message_parent_message_id_chat_message"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_chat_message_tenant_id_tenant")),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user.id"], name=op.f("fk_chat_message_user_id_user"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_chat_message")),
    )
    op.create_index(
        "ix_chat_message_chat_session_id_created_at",
        "chat_message",
        ["chat_session_id", sa.literal_column("created_at DESC"), sa.literal_column("id DESC")],
        unique=False,
    )
    op.create_index(
        "ix_chat_message_parent_message_id",
        "chat_message",
        ["parent_message_id"],
        unique=False,
        postgresql_where=sa.text("parent_message_id is not null"),
    )
    op.create_index("ix_chat_message_user_id", "chat_message", ["user_id"], unique=False)
    op.create_table(
        "chat_note",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("chat_session_id", sa.Uuid(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["chat_session_id"],
            ["chat_session.id"],
            name=op.f("fk_chat_note_chat_session_id_chat_session"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_chat_note_tenant_id_tenant")),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_chat_note_user_id_user"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_chat_note")),
    )
    op.create_index(
        "ix_chat_note_chat_session_id_created_at",
        "chat_note",
        ["chat_session_id", sa.literal_column("created_at DESC"), sa.literal_column("id DESC")],
        unique=False,
    )
    op.create_index("ix_chat_note_user_id", "chat_note", ["user_id"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_chat_note_user_id", table_name="chat_note")
    op.drop_index("ix_chat_note_chat_session_id_created_at", table_name="chat_note")
    op.drop_table("chat_note")
    op.drop_index("ix_chat_message_user_id", table_name="chat_message")
    op.drop_index(
        "ix_chat_message_parent_message_id",
        table_name="chat_message",
        postgresql_where=sa.text("parent_message_id is not null"),
    )
    op.drop_index("ix_chat_message_chat_session_id_created_at", table_name="chat_message")
    op.drop_table("chat_message")
    op.drop_index("ix_benchmark_request_metrics_benchmark_id", table_name="benchmark_request_metrics")
    op.drop_table("benchmark_request_metrics")
    op.drop_index("ix_chat_session_user_id_created_at", table_name="chat_session")
    op.drop_index("ix_chat_session_chat_setting_id", table_name="chat_session")
    op.drop_table("chat_session")
    op.drop_index("ix_benchmark_tenant_id_created_at", table_name="benchmark")
    op.drop_table("benchmark")
    op.drop_index("uq_gateway_blocking_rule_name", table_name="gateway_blocking_rule")
    op.drop_index("ix_gateway_blocking_rule_priority", table_name="gateway_blocking_rule")
    op.drop_table("gateway_blocking_rule")
    op.drop_index("ix_chat_setting_user_id_created_at", table_name="chat_setting")
    op.drop_table("chat_setting")
