"""previews of datasets' files are kept, and reading a file is tried a few times

Revision ID: 0023
Revises: 0022
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0023"
down_revision: str | None = "0022"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("dataset_file", sa.Column("stored", sa.Boolean(), server_default=sa.true(), nullable=False))
    op.execute(sa.text("update dataset_file set stored = false where status = 'refused'"))
    op.alter_column("dataset_file", "stored", server_default=None)
    op.drop_index("ix_dataset_file_unsettled", table_name="dataset_file")
    op.create_index(
        "ix_dataset_file_uploading",
        "dataset_file",
        ["upload_expires_at"],
        postgresql_where=sa.text("status = 'uploading'"),
    )
    op.create_index(
        "ix_dataset_file_refused", "dataset_file", ["id"], postgresql_where=sa.text("status = 'refused' AND stored")
    )
    op.create_table(
        "dataset_file_check",
        sa.Column("file_id", sa.Uuid(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("lock_token", sa.Uuid(), nullable=True),
        sa.Column("lock_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["file_id"],
            ["dataset_file.id"],
            name=op.f("fk_dataset_file_check_file_id_dataset_file"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_dataset_file_check_tenant_id_tenant")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dataset_file_check")),
        sa.UniqueConstraint("file_id", name=op.f("uq_dataset_file_check_file_id")),
    )
    op.create_index("ix_dataset_file_check_tenant_id_due_at", "dataset_file_check", ["tenant_id", "due_at"])
    op.execute(
        sa.text(
            "insert into dataset_file_check (id, file_id, tenant_id, attempts, due_at, created_at, modified_at) "
            "select gen_random_uuid(), id, tenant_id, 0, now(), now(), now() from dataset_file "
            "where status in ('checking', 'ready')"
        )
    )
    op.create_table(
        "dataset_file_preview",
        sa.Column("file_id", sa.Uuid(), nullable=False),
        sa.Column("rows", sa.LargeBinary(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["file_id"],
            ["dataset_file.id"],
            name=op.f("fk_dataset_file_preview_file_id_dataset_file"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dataset_file_preview")),
        sa.UniqueConstraint("file_id", name=op.f("uq_dataset_file_preview_file_id")),
    )


def downgrade() -> None:
    op.drop_table("dataset_file_preview")
    op.drop_table("dataset_file_check")
    op.drop_index("ix_dataset_file_refused", table_name="dataset_file")
    op.drop_index("ix_dataset_file_uploading", table_name="dataset_file")
    op.create_index(
        "ix_dataset_file_unsettled",
        "dataset_file",
        ["status", "created_at"],
        postgresql_where=sa.text("status IN ('uploading', 'checking')"),
    )
    op.drop_column("dataset_file", "stored")
