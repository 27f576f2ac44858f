"""usage and billing alerts

Revision ID: 0072
Revises: 0090
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0072"
down_revision: str | None = "0090"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def _common(table: str) -> list[sa.Column[object] | sa.Constraint]:
    return [
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f(f"fk_{table}_tenant_id_tenant")),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f(f"fk_{table}_user_id_user"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}")),
    ]


def upgrade() -> None:
    op.create_table(
        "user_usage",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("period_start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tokens_used", sa.BigInteger(), nullable=False),
        sa.Column("cost_used", sa.Numeric(18, 6), nullable=False),
        sa.Column("prev_tokens_used", sa.BigInteger(), nullable=False),
        sa.Column("prev_cost_used", sa.Numeric(18, 6), nullable=False),
        *_common("user_usage"),
        sa.UniqueConstraint("user_id", name=op.f("uq_user_usage_user_id")),
    )
    op.create_table(
        "billing_alert",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("alert_type", sa.String(), nullable=False),
        sa.Column("threshold_percent", sa.Integer(), nullable=False),
        sa.Column("last_triggered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_triggered_value", sa.Numeric(18, 2), nullable=True),
        sa.Column("last_notification_sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        *_common("billing_alert"),
        sa.CheckConstraint("alert_type in ('token_usage', 'cost_usage')", name=op.f("ck_billing_alert_alert_type")),
        sa.CheckConstraint("threshold_percent between 1 and 100", name=op.f("ck_billing_alert_threshold_percent")),
    )
    op.create_index(
        "uq_billing_alert_user_id_name", "billing_alert", ["user_id", sa.literal_column("lower(name)")], unique=True
    )


def downgrade() -> None:
    op.drop_table("billing_alert")
    op.drop_table("user_usage")
