"""publication settings and routers

Revision ID: 0052
Revises: 0061
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0052"
down_revision: str | None = "0061"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "router",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("tags", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("routing_strategy", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["created_by"], ["user.id"], name=op.f("fk_router_created_by_user")),
        sa.ForeignKeyConstraint(
            ["project_id"], ["project.id"], name=op.f("fk_router_project_id_project"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_router_tenant_id_tenant")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_router")),
    )
    op.create_index(
        "ix_router_project_id_created_at",
        "router",
        ["project_id", sa.literal_column("created_at DESC"), sa.literal_column("id DESC")],
        unique=False,
    )
    op.create_index(
        "uq_router_project_id_name", "router", ["project_id", sa.literal_column("lower(name)")], unique=True
    )
    op.create_table(
        "deployment_settings_revision",
        sa.Column("endpoint_id", sa.Uuid(), nullable=False),
        sa.Column("settings", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("replaced_by", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["endpoint_id"],
            ["endpoint.id"],
            name=op.f("fk_deployment_settings_revision_endpoint_id_endpoint"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["replaced_by"], ["user.id"], name=op.f("fk_deployment_settings_revision_replaced_by_user")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenant.id"], name=op.f("fk_deployment_settings_revision_tenant_id_tenant")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deployment_settings_revision")),
    )
    op.create_index(
        "ix_deployment_settings_revision_endpoint_id_created_at",
        "deployment_settings_revision",
        ["endpoint_id", sa.literal_column("created_at DESC"), sa.literal_column("id DESC")],
        unique=False,
    )
    op.create_table(
        "endpoint_health",
        sa.Column("endpoint_id", sa.Uuid(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["endpoint_id"], ["endpoint.id"], name=op.f("fk_endpoint_health_endpoint_id_endpoint"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_endpoint_health_tenant_id_tenant")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_endpoint_health")),
    )
    op.create_index(
        "ix_endpoint_health_endpoint_id_created_at",
        "endpoint_health",
        ["endpoint_id", sa.literal_column("created_at DESC"), sa.literal_column("id DESC")],
        unique=False,
    )
    op.create_table(
        "publication_history",
        sa.Column("deployment_id", sa.Uuid(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("performed_by", sa.Uuid(), nullable=False),
        sa.Column("performed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("action_metadata", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("previous_state", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("new_state", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("action in ('publish', 'unpublish')", name=op.f("ck_publication_history_action")),
        sa.ForeignKeyConstraint(
            ["deployment_id"],
            ["endpoint.id"],
            name=op.f("fk_publication_history_deployment_id_endpoint"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["performed_by"], ["user.id"], name=op.f("fk_publication_history_performed_by_user")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_publication_history_tenant_id_tenant")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_publication_history")),
    )
    op.create_index(
        "ix_publication_history_deployment_id_performed_at",
        "publication_history",
        ["deployment_id", sa.literal_column("performed_at DESC"), sa.literal_column("id DESC")],
        unique=False,
    )
    op.create_table(
        "router_endpoint",
        sa.Column("router_id", sa.Uuid(), nullable=False),
        sa.Column("endpoint_id", sa.Uuid(), nullable=False),
        sa.Column("fallback_endpoint_ids", sa.ARRAY(sa.Uuid()), nullable=True),
        sa.Column("tpm", sa.Double(), nullable=True),
        sa.Column("rpm", sa.Double(), nullable=True),
        sa.Column("weight", sa.Double(), nullable=True),
        sa.Column("cool_down_period", sa.Integer(), nullable=True),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "weight >= 0 and tpm >= 0 and rpm >= 0 and cool_down_period >= 0", name=op.f("ck_router_endpoint_limits")
        ),
        sa.ForeignKeyConstraint(
            ["endpoint_id"], ["endpoint.id"], name=op.f("fk_router_endpoint_endpoint_id_endpoint"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["router_id"], ["router.id"], name=op.f("fk_router_endpoint_router_id_router"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_router_endpoint_tenant_id_tenant")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_router_endpoint")),
    )
    op.create_index("ix_router_endpoint_endpoint_id", "router_endpoint", ["endpoint_id"], unique=False)
    op.create_index(
        "uq_router_endpoint_router_id_endpoint_id", "router_endpoint", ["router_id", "endpoint_id"], unique=True
    )
    op.add_column("endpoint", sa.Column("reason", sa.String(), nullable=True))
    op.create_index(
        "ix_endpoint_bud_cluster_id_namespace",
        "endpoint",
        ["bud_cluster_id", "namespace"],
        unique=False,
        postgresql_where=sa.text("status != 'deleted'"),
    )
    op.execute(
        "insert into endpoint_health (id, tenant_id, endpoint_id, status, since, created_at, modified_at) "
        "select gen_random_uuid(), tenant_id, id, status, coalesce(status_sync_at, modified_at), now(), now() "
        "from endpoint"
    )


def downgrade() -> None:
    op.drop_index(
        "ix_endpoint_bud_cluster_id_namespace", table_name="endpoint", postgresql_where=sa.text("status != 'deleted'")
    )
    op.drop_column("endpoint", "reason")
    op.drop_index("uq_router_endpoint_router_id_endpoint_id", table_name="router_endpoint")
    op.drop_index("ix_router_endpoint_endpoint_id", table_name="router_endpoint")
    op.drop_table("router_endpoint")
    op.drop_index("ix_publication_history_deployment_id_performed_at", table_name="publication_history")
    op.drop_table("publication_history")
    op.drop_index("ix_endpoint_health_endpoint_id_created_at", table_name="endpoint_health")
    op.drop_table("endpoint_health")
    op.drop_index("ix_deployment_settings_revision_endpoint_id_created_at", table_name="deployment_settings_revision")
    op.drop_table("deployment_settings_revision")
    op.drop_index("uq_router_project_id_name", table_name="router")
    op.drop_index("ix_router_project_id_created_at", table_name="router")
    op.drop_table("router")
