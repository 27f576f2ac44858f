"""names and uris of models that look the same are the same, whatever their case

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

_ACTIVE = sa.text("status = 'active'")


def upgrade() -> None:
    """Fail where a tenant has two models of one uri, in other case: somebody has to delete one of them first."""
    op.drop_index("uq_model_source_uri", table_name="model")
    op.execute("update model set name = normalize(name, NFC), uri = normalize(uri, NFC)")
    op.create_index(
        "uq_model_source_uri",
        "model",
        ["tenant_id", "source", sa.literal_column("lower(uri)")],
        unique=True,
        postgresql_where=_ACTIVE,
    )


def downgrade() -> None:
    op.drop_index("uq_model_source_uri", table_name="model")
    op.create_index(
        "uq_model_source_uri", "model", ["tenant_id", "source", "uri"], unique=True, postgresql_where=_ACTIVE
    )
