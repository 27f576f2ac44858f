"""money as numeric, no null inside jsonb, and the day that billing cycles are counted from

Revision ID: 0018
Revises: 0017
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0018"
down_revision: str | None = "0017"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_MONEY = (("model_cluster_recommended", "cost_per_million_tokens"), ("credential", "max_budget"))
_NULLABLE = {
    "credential": ("model_budgets", "ip_whitelist"),
    "benchmark_dataset": ("tags", "columns"),
    "dataset_file": ("columns",),
    "endpoint": (
        *("node_list", "model_configuration", "deployment_config", "deployment_settings"),
        "inference_cost",
    ),
    "cloud_model": ("input_cost", "output_cost"),
    "model": (
        *("minimum_requirements", "examples", "architecture_text_config", "architecture_vision_config"),
        "architecture_audio_config",
    ),
    "model_licenses": ("faqs",),
}


def upgrade() -> None:
    for table, column in _MONEY:
        op.alter_column(table, column, type_=sa.Numeric(18, 6), existing_type=sa.Float())
    for table, columns in _NULLABLE.items():
        for column in columns:
            target = sa.table(table, sa.column(column, postgresql.JSONB(none_as_null=True)))
            op.execute(
                target.update().where(target.c[column] == sa.literal_column("'null'::jsonb")).values({column: None})
            )
    op.add_column("user_billing", sa.Column("billing_anchor", sa.DateTime(timezone=True), nullable=True))
    op.execute(
        "update user_billing set billing_anchor = first.start from"
        " (select user_id, min(billing_period_start) as start from user_billing group by user_id) as first"
        " where first.user_id = user_billing.user_id"
    )


def downgrade() -> None:
    op.drop_column("user_billing", "billing_anchor")
    for table, column in reversed(_MONEY):
        op.alter_column(table, column, type_=sa.Float(), existing_type=sa.Numeric(18, 6))
