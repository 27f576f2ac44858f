"""provider credentials

Revision ID: 0060
Revises: 0051
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0060"
down_revision: str | None = "0051"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_TABLE = "proprietary_credential"


def upgrade() -> None:
    op.create_table(
        _TABLE,
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("provider_id", sa.Uuid(), nullable=True),
        sa.Column("settings", postgresql.JSONB(), nullable=False),
        sa.Column("masked", postgresql.JSONB(), nullable=False),
        sa.Column("secrets_encrypted", sa.String(), nullable=False),
        sa.Column("gateway_key", sa.String(), nullable=True),
        sa.Column("gateway_key_id", sa.String(), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["provider_id"], ["provider.id"], name=op.f(f"fk_{_TABLE}_provider_id_provider")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f(f"fk_{_TABLE}_tenant_id_tenant")),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f(f"fk_{_TABLE}_user_id_user")),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{_TABLE}")),
    )
    op.create_index("uq_proprietary_credential_name", _TABLE, ["user_id", "type", sa.text("lower(name)")], unique=True)
    op.create_index(
        "ix_proprietary_credential_created_at",
        _TABLE,
        ["tenant_id", sa.text("created_at DESC"), sa.text("id DESC")],
    )
    op.create_index(
        "ix_endpoint_credential_id",
        "endpoint",
        ["credential_id"],
        postgresql_where=sa.text("status <> 'deleted'"),
    )


def downgrade() -> None:
    op.drop_index("ix_endpoint_credential_id", table_name="endpoint")
    op.drop_table(_TABLE)
