"""withdrawn permissions

Revision ID: 0016
Revises: 0015
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0016"
down_revision: str | None = "0015"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("user_permission", sa.Column("granted", sa.Boolean(), server_default=sa.true(), nullable=False))


def downgrade() -> None:
    op.execute(sa.text("delete from user_permission where not granted"))
    op.drop_column("user_permission", "granted")
