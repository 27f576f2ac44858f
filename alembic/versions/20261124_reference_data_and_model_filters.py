"""reference data and model filters

Revision ID: 0013
Revises: 0012
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0013"
down_revision: str | None = "0012"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "icon",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("file_path", sa.String(), nullable=False),
        sa.Column("category", sa.String(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_icon")),
        sa.UniqueConstraint("file_path", name=op.f("uq_icon_file_path")),
    )
    op.create_table(
        "model_template",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("icon", sa.String(), nullable=False),
        sa.Column("template_type", sa.String(), nullable=False),
        sa.Column("avg_sequence_length", sa.Integer(), nullable=True),
        sa.Column("avg_context_length", sa.Integer(), nullable=True),
        sa.Column("per_session_tokens_per_sec", sa.ARRAY(sa.Integer()), nullable=True),
        sa.Column("ttft", sa.ARRAY(sa.Integer()), nullable=True),
        sa.Column("e2e_latency", sa.ARRAY(sa.Integer()), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model_template")),
        sa.UniqueConstraint("name", name=op.f("uq_model_template_name")),
    )
    op.add_column("model", sa.Column("storage_size_gb", sa.Double(), nullable=True))
    op.drop_index("ix_model_created_at", table_name="model")
    op.create_index(
        "ix_model_created_at",
        "model",
        ["tenant_id", sa.literal_column("created_at DESC"), sa.literal_column("id DESC")],
        unique=False,
        postgresql_include=["name", "provider_id"],
        postgresql_where=sa.text("status = 'active'"),
    )
    op.create_index(
        "ix_model_author", "model", ["tenant_id", "author"], unique=False, postgresql_where=sa.text("status = 'active'")
    )
    op.create_index(
        "ix_model_base_model",
        "model",
        ["base_model"],
        unique=False,
        postgresql_using="gin",
        postgresql_where=sa.text("status = 'active'"),
    )
    op.create_index(
        "ix_model_tags",
        "model",
        ["tags"],
        unique=False,
        postgresql_using="gin",
        postgresql_ops={"tags": "jsonb_path_ops"},
        postgresql_where=sa.text("status = 'active'"),
    )
    op.create_index(
        "ix_model_tasks",
        "model",
        ["tasks"],
        unique=False,
        postgresql_using="gin",
        postgresql_ops={"tasks": "jsonb_path_ops"},
        postgresql_where=sa.text("status = 'active'"),
    )


def downgrade() -> None:
    op.drop_index(
        "ix_model_tasks",
        table_name="model",
        postgresql_using="gin",
        postgresql_ops={"tasks": "jsonb_path_ops"},
        postgresql_where=sa.text("status = 'active'"),
    )
    op.drop_index(
        "ix_model_tags",
        table_name="model",
        postgresql_using="gin",
        postgresql_ops={"tags": "jsonb_path_ops"},
        postgresql_where=sa.text("status = 'active'"),
    )
    op.drop_index(
        "ix_model_base_model", table_name="model", postgresql_using="gin", postgresql_where=sa.text("status = 'active'")
    )
    op.drop_index("ix_model_author", table_name="model", postgresql_where=sa.text("status = 'active'"))
    op.drop_index("ix_model_created_at", table_name="model")
    op.create_index(
        "ix_model_created_at",
        "model",
        ["tenant_id", sa.literal_column("created_at DESC"), sa.literal_column("id DESC")],
        unique=False,
        postgresql_where=sa.text("status = 'active'"),
    )
    op.drop_column("model", "storage_size_gb")
    op.drop_table("model_template")
    op.drop_table("icon")
