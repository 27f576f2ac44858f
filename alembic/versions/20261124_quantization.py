"""quantization

Revision ID: 0014
Revises: 0013
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0014"
down_revision: str | None = "0013"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "quantization_method",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=True),
        sa.Column("hardware_support", sa.ARRAY(sa.String()), nullable=False),
        sa.Column("method_type", sa.ARRAY(sa.String()), nullable=False),
        sa.Column("runtime_hardware_support", sa.ARRAY(sa.String()), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quantization_method")),
        sa.UniqueConstraint("name", name=op.f("uq_quantization_method_name")),
    )
    op.add_column("workflow_attempt", sa.Column("task", sa.String(), server_default="main", nullable=False))


def downgrade() -> None:
    op.drop_column("workflow_attempt", "task")
    op.drop_table("quantization_method")
