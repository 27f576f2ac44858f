"""sessions of gateway tokens

Revision ID: 0073
Revises: 0112
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0073"
down_revision: str | None = "0112"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("gateway_token", sa.Column("session_id", sa.String(), nullable=True))
    op.create_index(op.f("ix_gateway_token_session_id"), "gateway_token", ["session_id"])


def downgrade() -> None:
    op.drop_index(op.f("ix_gateway_token_session_id"), "gateway_token")
    op.drop_column("gateway_token", "session_id")
