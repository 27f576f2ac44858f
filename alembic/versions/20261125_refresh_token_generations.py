"""which refresh token is a session's current one

Revision ID: 0017
Revises: 0016
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0017"
down_revision: str | None = "0016"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("user_session", sa.Column("refresh_token_hash", sa.String(), nullable=True))
    op.add_column("user_session", sa.Column("refresh_issued_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("user_session", "refresh_issued_at")
    op.drop_column("user_session", "refresh_token_hash")
