"""adapters

Revision ID: 0041
Revises: 0060
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0041"
down_revision: str | None = "0060"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_STATUSES = "status in ('running', 'failure', 'deploying', 'unhealthy', 'deleting', 'deleted', 'pending')"
_LIVE = sa.text("status != 'deleted'")


def upgrade() -> None:
    op.create_table(
        "adapter",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("deployment_name", sa.String(), nullable=False),
        sa.Column("endpoint_id", sa.Uuid(), nullable=False),
        sa.Column("model_id", sa.Uuid(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(_STATUSES, name=op.f("ck_adapter_status")),
        sa.ForeignKeyConstraint(["created_by"], ["user.id"], name=op.f("fk_adapter_created_by_user")),
        sa.ForeignKeyConstraint(
            ["endpoint_id"], ["endpoint.id"], name=op.f("fk_adapter_endpoint_id_endpoint"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_adapter_tenant_id_tenant")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_adapter")),
    )
    op.create_index(
        "ix_adapter_created_at",
        "adapter",
        ["endpoint_id", sa.literal_column("created_at DESC"), sa.literal_column("id DESC")],
    )
    op.create_index("uq_adapter_model", "adapter", ["endpoint_id", "model_id"], unique=True, postgresql_where=_LIVE)
    op.create_index(
        "uq_adapter_name",
        "adapter",
        ["tenant_id", sa.literal_column("lower(name)")],
        unique=True,
        postgresql_where=_LIVE,
    )


def downgrade() -> None:
    op.drop_table("adapter")
