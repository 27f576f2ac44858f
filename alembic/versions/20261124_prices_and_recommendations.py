"""prices and recommendations

Revision ID: 0015
Revises: 0014
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0015"
down_revision: str | None = "0014"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "model_cluster_recommended",
        sa.Column("model_id", sa.Uuid(), nullable=False),
        sa.Column("cluster_id", sa.Uuid(), nullable=False),
        sa.Column("hardware_type", sa.ARRAY(sa.String()), nullable=False),
        sa.Column("cost_per_million_tokens", sa.Double(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["cluster_id"],
            ["cluster.id"],
            name=op.f("fk_model_cluster_recommended_cluster_id_cluster"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["model_id"], ["model.id"], name=op.f("fk_model_cluster_recommended_model_id_model"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenant.id"], name=op.f("fk_model_cluster_recommended_tenant_id_tenant")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model_cluster_recommended")),
        sa.UniqueConstraint("model_id", name=op.f("uq_model_cluster_recommended_model_id")),
    )
    op.create_index(
        op.f("ix_model_cluster_recommended_cluster_id"), "model_cluster_recommended", ["cluster_id"], unique=False
    )
    op.create_table(
        "deployment_pricing",
        sa.Column("endpoint_id", sa.Uuid(), nullable=False),
        sa.Column("input_cost", sa.Numeric(precision=10, scale=6), nullable=False),
        sa.Column("output_cost", sa.Numeric(precision=10, scale=6), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("per_tokens", sa.Integer(), nullable=False),
        sa.Column("is_current", sa.Boolean(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("input_cost >= 0 and output_cost >= 0", name=op.f("ck_deployment_pricing_costs")),
        sa.CheckConstraint("per_tokens > 0", name=op.f("ck_deployment_pricing_per_tokens")),
        sa.ForeignKeyConstraint(["created_by"], ["user.id"], name=op.f("fk_deployment_pricing_created_by_user")),
        sa.ForeignKeyConstraint(
            ["endpoint_id"],
            ["endpoint.id"],
            name=op.f("fk_deployment_pricing_endpoint_id_endpoint"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_deployment_pricing_tenant_id_tenant")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deployment_pricing")),
    )
    op.create_index(
        "uq_deployment_pricing_current",
        "deployment_pricing",
        ["endpoint_id"],
        unique=True,
        postgresql_where=sa.text("is_current"),
    )
    op.create_index(
        "ix_endpoint_model_id", "endpoint", ["model_id"], unique=False, postgresql_where=sa.text("status != 'deleted'")
    )
    op.create_index(
        "ix_endpoint_published",
        "endpoint",
        ["tenant_id", "published_date"],
        unique=False,
        postgresql_where=sa.text("is_published"),
    )
    op.add_column("model", sa.Column("recommended_cluster_sync_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "ix_cloud_model_created_at",
        "cloud_model",
        [sa.literal_column("created_at DESC"), sa.literal_column("id DESC")],
        unique=False,
        postgresql_where=sa.text("status = 'active'"),
        postgresql_include=["name", "provider_id"],
    )
    op.create_index(
        "ix_cloud_model_tags",
        "cloud_model",
        ["tags"],
        unique=False,
        postgresql_using="gin",
        postgresql_ops={"tags": "jsonb_path_ops"},
        postgresql_where=sa.text("status = 'active'"),
    )


def downgrade() -> None:
    op.drop_index("ix_cloud_model_tags", table_name="cloud_model")
    op.drop_index("ix_cloud_model_created_at", table_name="cloud_model")
    op.drop_column("model", "recommended_cluster_sync_at")
    op.drop_index("ix_endpoint_published", table_name="endpoint", postgresql_where=sa.text("is_published"))
    op.drop_index("ix_endpoint_model_id", table_name="endpoint", postgresql_where=sa.text("status != 'deleted'"))
    op.drop_index(
        "uq_deployment_pricing_current", table_name="deployment_pricing", postgresql_where=sa.text("is_current")
    )
    op.drop_table("deployment_pricing")
    op.drop_index(op.f("ix_model_cluster_recommended_cluster_id"), table_name="model_cluster_recommended")
    op.drop_table("model_cluster_recommended")
