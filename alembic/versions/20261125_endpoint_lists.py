"""endpoint lists

Revision ID: 0051
Revises: 0040
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0051"
down_revision: str | None = "0040"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_index(
        "ix_endpoint_tenant_id_created_at",
        "endpoint",
        ["tenant_id", sa.literal_column("created_at DESC"), sa.literal_column("id DESC")],
        postgresql_include=["project_id"],
        postgresql_where=sa.text("status != 'deleted'"),
    )


def downgrade() -> None:
    op.drop_index("ix_endpoint_tenant_id_created_at", table_name="endpoint")
