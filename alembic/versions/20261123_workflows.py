"""workflows

Revision ID: 0011
Revises: 0010
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0011"
down_revision: str | None = "0010"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "workflow",
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("workflow_type", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("visibility", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=True),
        sa.Column("icon", sa.String(), nullable=True),
        sa.Column("tag", sa.String(), nullable=True),
        sa.Column("progress", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("current_step", sa.Integer(), nullable=False),
        sa.Column("total_steps", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("callback_topic", sa.String(), nullable=True),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "status in ('in_progress', 'completed', 'failed', 'cancelled')", name=op.f("ck_workflow_status")
        ),
        sa.CheckConstraint("visibility in ('public', 'internal')", name=op.f("ck_workflow_visibility")),
        sa.ForeignKeyConstraint(["created_by"], ["user.id"], name=op.f("fk_workflow_created_by_user")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_workflow_tenant_id_tenant")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workflow")),
    )
    op.create_index(
        "ix_workflow_open",
        "workflow",
        ["created_by", sa.literal_column("modified_at DESC"), sa.literal_column("id DESC")],
        unique=False,
        postgresql_where=sa.text("status = 'in_progress'"),
    )
    op.create_index(
        "ix_workflow_stale",
        "workflow",
        ["modified_at"],
        unique=False,
        postgresql_where=sa.text("status = 'in_progress'"),
    )
    op.create_table(
        "workflow_attempt",
        sa.Column("workflow_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("correlation_id", sa.Uuid(), nullable=False),
        sa.Column("peer_workflow_id", sa.String(), nullable=True),
        sa.Column("step_number", sa.Integer(), nullable=False),
        sa.Column("early_events", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("lease_expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deadline_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "state in ('asking', 'running', 'completed', 'failed', 'cancelled')", name=op.f("ck_workflow_attempt_state")
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_workflow_attempt_tenant_id_tenant")),
        sa.ForeignKeyConstraint(
            ["workflow_id"], ["workflow.id"], name=op.f("fk_workflow_attempt_workflow_id_workflow"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workflow_attempt")),
        sa.UniqueConstraint("correlation_id", name=op.f("uq_workflow_attempt_correlation_id")),
        sa.UniqueConstraint("workflow_id", "number", name=op.f("uq_workflow_attempt_workflow_id_number")),
    )
    op.create_index(
        "ix_workflow_attempt_due",
        "workflow_attempt",
        ["state", "deadline_at"],
        unique=False,
        postgresql_where=sa.text("state IN ('asking', 'running')"),
    )
    op.create_index(
        "uq_workflow_attempt_live",
        "workflow_attempt",
        ["workflow_id"],
        unique=True,
        postgresql_where=sa.text("state IN ('asking', 'running')"),
    )
    op.create_table(
        "workflow_step",
        sa.Column("workflow_id", sa.Uuid(), nullable=False),
        sa.Column("step_number", sa.Integer(), nullable=False),
        sa.Column("data", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_workflow_step_tenant_id_tenant")),
        sa.ForeignKeyConstraint(
            ["workflow_id"], ["workflow.id"], name=op.f("fk_workflow_step_workflow_id_workflow"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workflow_step")),
        sa.UniqueConstraint("workflow_id", "step_number", name=op.f("uq_workflow_step_workflow_id_step_number")),
    )


def downgrade() -> None:
    op.drop_table("workflow_step")
    op.drop_index(
        "uq_workflow_attempt_live",
        table_name="workflow_attempt",
        postgresql_where=sa.text("state IN ('asking', 'running')"),
    )
    op.drop_index(
        "ix_workflow_attempt_due",
        table_name="workflow_attempt",
        postgresql_where=sa.text("state IN ('asking', 'running')"),
    )
    op.drop_table("workflow_attempt")
    op.drop_index("ix_workflow_stale", table_name="workflow", postgresql_where=sa.text("status = 'in_progress'"))
    op.drop_index("ix_workflow_open", table_name="workflow", postgresql_where=sa.text("status = 'in_progress'"))
    op.drop_table("workflow")
