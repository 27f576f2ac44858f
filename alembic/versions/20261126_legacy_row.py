"""Rows that have come over from the former service.

Revision ID: 0120
Revises: 0073
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0120"
down_revision: str | None = "0073"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "legacy_row",
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("target_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_legacy_row")),
        sa.UniqueConstraint("source", "source_id", name=op.f("uq_legacy_row_source_source_id")),
    )
    op.create_index("ix_legacy_row_source_target_id", "legacy_row", ["source", "target_id"], unique=False)


def downgrade() -> None:
    op.drop_table("legacy_row")
