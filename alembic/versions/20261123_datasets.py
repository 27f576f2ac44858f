"""datasets

Revision ID: 0004
Revises: 0003
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "benchmark_dataset",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("display_name", sa.String(), nullable=True),
        sa.Column("description", sa.String(), nullable=True),
        sa.Column("tags", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("hf_hub_url", sa.String(), nullable=True),
        sa.Column("ms_hub_url", sa.String(), nullable=True),
        sa.Column("script_url", sa.String(), nullable=True),
        sa.Column("file_name", sa.String(), nullable=True),
        sa.Column("formatting", sa.String(), nullable=True),
        sa.Column("ranking", sa.Boolean(), nullable=False),
        sa.Column("subset", sa.String(), nullable=True),
        sa.Column("split", sa.String(), nullable=True),
        sa.Column("folder", sa.String(), nullable=True),
        sa.Column("num_samples", sa.Integer(), nullable=False),
        sa.Column("columns", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("status in ('active', 'inactive')", name=op.f("ck_benchmark_dataset_status")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_benchmark_dataset")),
        sa.UniqueConstraint("name", name=op.f("uq_benchmark_dataset_name")),
    )
    op.create_table(
        "dataset",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("status in ('active', 'deleted')", name=op.f("ck_dataset_status")),
        sa.ForeignKeyConstraint(["created_by"], ["user.id"], name=op.f("fk_dataset_created_by_user")),
        sa.ForeignKeyConstraint(
            ["project_id"], ["project.id"], name=op.f("fk_dataset_project_id_project"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_dataset_tenant_id_tenant")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dataset")),
    )
    op.create_index(
        "ix_dataset_deleted", "dataset", ["id"], unique=False, postgresql_where=sa.text("status = 'deleted'")
    )
    op.create_index(
        "ix_dataset_tenant_id_created_at",
        "dataset",
        ["tenant_id", sa.literal_column("created_at DESC"), sa.literal_column("id DESC")],
        unique=False,
    )
    op.create_index(
        "uq_dataset_project_id_name",
        "dataset",
        ["project_id", sa.literal_column("lower(name)")],
        unique=True,
        postgresql_where=sa.text("status = 'active'"),
    )
    op.create_table(
        "dataset_version",
        sa.Column("dataset_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["created_by"], ["user.id"], name=op.f("fk_dataset_version_created_by_user")),
        sa.ForeignKeyConstraint(
            ["dataset_id"], ["dataset.id"], name=op.f("fk_dataset_version_dataset_id_dataset"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_dataset_version_tenant_id_tenant")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dataset_version")),
        sa.UniqueConstraint("dataset_id", "number", name=op.f("uq_dataset_version_dataset_id_number")),
    )
    op.create_table(
        "dataset_file",
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("split", sa.String(), nullable=False),
        sa.Column("file_name", sa.String(), nullable=False),
        sa.Column("format", sa.String(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("checksum", sa.String(), nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("row_count", sa.BigInteger(), nullable=True),
        sa.Column("columns", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("object_name", sa.String(), nullable=False),
        sa.Column("upload_id", sa.String(), nullable=True),
        sa.Column("upload_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("format in ('csv', 'jsonl', 'parquet')", name=op.f("ck_dataset_file_format")),
        sa.CheckConstraint(
            "status in ('uploading', 'checking', 'ready', 'refused')", name=op.f("ck_dataset_file_status")
        ),
        sa.ForeignKeyConstraint(["created_by"], ["user.id"], name=op.f("fk_dataset_file_created_by_user")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_dataset_file_tenant_id_tenant")),
        sa.ForeignKeyConstraint(
            ["version_id"],
            ["dataset_version.id"],
            name=op.f("fk_dataset_file_version_id_dataset_version"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dataset_file")),
        sa.UniqueConstraint("object_name", name=op.f("uq_dataset_file_object_name")),
    )
    op.create_index(
        "ix_dataset_file_unsettled",
        "dataset_file",
        ["status", "created_at"],
        unique=False,
        postgresql_where=sa.text("status IN ('uploading', 'checking')"),
    )
    op.create_index(
        "uq_dataset_file_version_id_split",
        "dataset_file",
        ["version_id", "split"],
        unique=True,
        postgresql_where=sa.text("status != 'refused'"),
    )


def downgrade() -> None:
    op.drop_index(
        "uq_dataset_file_version_id_split", table_name="dataset_file", postgresql_where=sa.text("status != 'refused'")
    )
    op.drop_index(
        "ix_dataset_file_unsettled",
        table_name="dataset_file",
        postgresql_where=sa.text("status IN ('uploading', 'checking')"),
    )
    op.drop_table("dataset_file")
    op.drop_table("dataset_version")
    op.drop_index("uq_dataset_project_id_name", table_name="dataset", postgresql_where=sa.text("status = 'active'"))
    op.drop_index("ix_dataset_tenant_id_created_at", table_name="dataset")
    op.drop_index("ix_dataset_deleted", table_name="dataset", postgresql_where=sa.text("status = 'deleted'"))
    op.drop_table("dataset")
    op.drop_table("benchmark_dataset")
