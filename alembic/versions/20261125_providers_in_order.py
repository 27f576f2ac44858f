"""providers in the order of the catalog, and no icons from elsewhere

Revision ID: 0021
Revises: 0020
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0021"
down_revision: str | None = "0020"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("provider", sa.Column("position", sa.Integer(), server_default="0", nullable=False))
    for table in ("model", "project", "workflow"):
        op.execute(sa.text(f"update {table} set icon = null where icon ~* '^([a-z][a-z0-9+.-]*:|/)'"))  # noqa: S608
    op.execute(sa.text("update provider set icon = 'icons/general/model.svg' where icon !~ '^icons/'"))


def downgrade() -> None:
    op.drop_column("provider", "position")
