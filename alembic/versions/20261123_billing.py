"""billing

Revision ID: 0007
Revises: 0006
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0007"
down_revision: str | None = "0006"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


_STARTED = datetime(2026, 1, 1, tzinfo=UTC)
_PLANS: list[dict[str, Any]] = [
    {
        "name": "Free",
        "description": "To try things out",
        "monthly_token_quota": 100_000,
        "monthly_cost_quota": 10,
        "max_projects": 2,
        "max_endpoints_per_project": 5,
        "base_monthly_price": 0,
        "overage_token_price": None,
        "features": {"support": "community", "api_rate_limit": 60},
    },
    {
        "name": "Starter",
        "description": "For small teams",
        "monthly_token_quota": 1_000_000,
        "monthly_cost_quota": 100,
        "max_projects": 10,
        "max_endpoints_per_project": 20,
        "base_monthly_price": 29,
        "overage_token_price": Decimal("0.005"),
        "features": {"support": "email", "api_rate_limit": 300},
    },
    {
        "name": "Professional",
        "description": "For growing companies",
        "monthly_token_quota": 10_000_000,
        "monthly_cost_quota": 1000,
        "max_projects": 50,
        "max_endpoints_per_project": 100,
        "base_monthly_price": 299,
        "overage_token_price": Decimal("0.004"),
        "features": {"support": "priority", "api_rate_limit": 1000, "custom_models": True},
    },
    {
        "name": "Enterprise",
        "description": "Without limits",
        "monthly_token_quota": None,
        "monthly_cost_quota": None,
        "max_projects": None,
        "max_endpoints_per_project": None,
        "base_monthly_price": 999,
        "overage_token_price": Decimal("0.003"),
        "features": {"support": "dedicated", "api_rate_limit": None, "custom_models": True, "sla": True},
    },
]


def _rows() -> list[dict[str, Any]]:
    """Return the plans with ids 00000000-0000-0000-0000-00000000000N."""
    shared = {"billing_cycle_months": 1, "is_active": True, "created_at": _STARTED, "modified_at": _STARTED}
    return [{"id": UUID(int=number), **shared, **plan} for number, plan in enumerate(_PLANS, start=1)]


def upgrade() -> None:
    plans = _create_plans()
    op.bulk_insert(plans, _rows())
    _create_user_billing()


def _create_plans() -> sa.Table:
    return op.create_table(
        "billing_plan",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=True),
        sa.Column("monthly_token_quota", sa.BigInteger(), nullable=True),
        sa.Column("monthly_cost_quota", sa.Numeric(precision=12, scale=2), nullable=True),
        sa.Column("max_projects", sa.Integer(), nullable=True),
        sa.Column("max_endpoints_per_project", sa.Integer(), nullable=True),
        sa.Column("base_monthly_price", sa.Numeric(precision=10, scale=2), nullable=False),
        sa.Column("overage_token_price", sa.Numeric(precision=10, scale=6), nullable=True),
        sa.Column("billing_cycle_months", sa.Integer(), nullable=False),
        sa.Column("features", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_billing_plan")),
        sa.UniqueConstraint("name", name=op.f("uq_billing_plan_name")),
    )


def _create_user_billing() -> None:
    op.create_table(
        "user_billing",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("billing_plan_id", sa.Uuid(), nullable=False),
        sa.Column("billing_period_start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("billing_period_end", sa.DateTime(timezone=True), nullable=False),
        sa.Column("custom_token_quota", sa.BigInteger(), nullable=True),
        sa.Column("custom_cost_quota", sa.Numeric(precision=12, scale=2), nullable=True),
        sa.Column("enable_email_notifications", sa.Boolean(), nullable=False),
        sa.Column("enable_in_app_notifications", sa.Boolean(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("is_suspended", sa.Boolean(), nullable=False),
        sa.Column("suspension_reason", sa.String(), nullable=True),
        sa.Column("is_current", sa.Boolean(), nullable=False),
        sa.Column("cycle_number", sa.Integer(), nullable=False),
        sa.Column("superseded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("superseded_by_id", sa.Uuid(), nullable=True),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("billing_period_start < billing_period_end", name=op.f("ck_user_billing_period")),
        sa.ForeignKeyConstraint(
            ["billing_plan_id"], ["billing_plan.id"], name=op.f("fk_user_billing_billing_plan_id_billing_plan")
        ),
        sa.ForeignKeyConstraint(
            ["superseded_by_id"],
            ["user_billing.id"],
            name=op.f("fk_user_billing_superseded_by_id_user_billing"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_user_billing_tenant_id_tenant")),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user.id"], name=op.f("fk_user_billing_user_id_user"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user_billing")),
    )
    op.create_index(
        "ix_user_billing_billing_period_end_current",
        "user_billing",
        ["billing_period_end"],
        unique=False,
        postgresql_where=sa.text("is_current"),
    )
    op.create_index(
        "ix_user_billing_tenant_id_user_id", "user_billing", ["tenant_id", "user_id", "cycle_number"], unique=False
    )
    op.create_index(
        "uq_user_billing_user_id_current",
        "user_billing",
        ["user_id"],
        unique=True,
        postgresql_where=sa.text("is_current"),
    )


def downgrade() -> None:
    op.drop_index("uq_user_billing_user_id_current", table_name="user_billing", postgresql_where=sa.text("is_current"))
    op.drop_index("ix_user_billing_tenant_id_user_id", table_name="user_billing")
    op.drop_index(
        "ix_user_billing_billing_period_end_current", table_name="user_billing", postgresql_where=sa.text("is_current")
    )
    op.drop_table("user_billing")
    op.drop_table("billing_plan")
