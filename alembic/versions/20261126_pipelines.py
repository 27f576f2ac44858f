"""Whose the pipelines, executions, schedules, webhooks and event triggers of budpipeline are

Revision ID: 0110
Revises: 0101
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0110"
down_revision = "0101"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "pipeline",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["created_by"], ["user.id"], name=op.f("fk_pipeline_created_by_user")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_pipeline_tenant_id_tenant")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pipeline")),
    )
    newest: list[Any] = [sa.literal_column("created_at DESC"), sa.literal_column("id DESC")]
    op.create_index("ix_pipeline_created_by", "pipeline", ["created_by", *newest], unique=False)
    op.create_index("ix_pipeline_tenant_id", "pipeline", ["tenant_id"], unique=False)
    op.create_table(
        "pipeline_part",
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("pipeline_id", sa.Uuid(), nullable=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "kind in ('execution', 'schedule', 'webhook', 'event_trigger')", name=op.f("ck_pipeline_part_kind")
        ),
        sa.ForeignKeyConstraint(["created_by"], ["user.id"], name=op.f("fk_pipeline_part_created_by_user")),
        sa.ForeignKeyConstraint(
            ["pipeline_id"], ["pipeline.id"], name=op.f("fk_pipeline_part_pipeline_id_pipeline"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_pipeline_part_tenant_id_tenant")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pipeline_part")),
    )
    op.create_index("ix_pipeline_part_created_by", "pipeline_part", ["created_by"], unique=False)
    op.create_index("ix_pipeline_part_pipeline_id", "pipeline_part", ["pipeline_id", "kind"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_pipeline_part_pipeline_id", table_name="pipeline_part")
    op.drop_index("ix_pipeline_part_created_by", table_name="pipeline_part")
    op.drop_table("pipeline_part")
    op.drop_index("ix_pipeline_tenant_id", table_name="pipeline")
    op.drop_index("ix_pipeline_created_by", table_name="pipeline")
    op.drop_table("pipeline")
