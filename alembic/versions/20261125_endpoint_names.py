"""one live endpoint of a name in a tenant

Revision ID: 0050
Revises: 0030
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0050"
down_revision: str | None = "0030"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    live = sa.text("status != 'deleted'")
    op.create_index(
        "uq_endpoint_name", "endpoint", ["tenant_id", sa.text("lower(name)")], unique=True, postgresql_where=live
    )


def downgrade() -> None:
    op.drop_index("uq_endpoint_name", table_name="endpoint")
