"""What API keys with budgets have spent.

Revision ID: 0121
Revises: 0120
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0121"
down_revision: str | None = "0120"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    for name in ("spent", "counted_tokens"):
        op.add_column("credential", sa.Column(name, postgresql.JSONB(none_as_null=True), nullable=True))


def downgrade() -> None:
    for name in ("counted_tokens", "spent"):
        op.drop_column("credential", name)
