"""the browser that a sign-in at a provider belongs to

Revision ID: 0019
Revises: 0018
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0019"
down_revision: str | None = "0018"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("oauth_session", sa.Column("browser_hash", sa.String(), nullable=True))


def downgrade() -> None:
    op.drop_column("oauth_session", "browser_hash")
