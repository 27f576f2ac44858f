"""clusters: names and ids once each, since when one is being deleted, kubeconfigs that wait

Revision ID: 0030
Revises: 0024
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0030"
down_revision: str | None = "0024"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_PRESENT = sa.text("status <> 'deleted'")
_LOWER_NAME = sa.text("lower(name)")


def upgrade() -> None:
    op.add_column("cluster", sa.Column("deleting_since", sa.DateTime(timezone=True), nullable=True))
    op.execute("update cluster set deleting_since = modified_at where status = 'deleting'")
    # What an earlier version let through keeps its name, with its id behind it where an older one has the same.
    op.execute(
        "update cluster set name = name || ' ' || id where status <> 'deleted' and exists ("
        " select 1 from cluster older where older.tenant_id = cluster.tenant_id and older.status <> 'deleted'"
        " and lower(older.name) = lower(cluster.name) and older.id < cluster.id)"
    )
    op.create_index("uq_cluster_name", "cluster", ["tenant_id", _LOWER_NAME], unique=True, postgresql_where=_PRESENT)
    op.create_index("uq_cluster_cluster_id", "cluster", ["cluster_id"], unique=True, postgresql_where=_PRESENT)
    op.create_index(
        "ix_cluster_silent",
        "cluster",
        [sa.text("coalesce(status_sync_at, created_at)")],
        postgresql_where=sa.text("status in ('available', 'deleting')"),
    )
    op.create_index("ix_endpoint_cluster_id", "endpoint", ["cluster_id"], postgresql_where=_PRESENT)
    op.create_table(
        "cluster_kubeconfig",
        sa.Column("workflow_id", sa.Uuid(), nullable=False),
        sa.Column("content_encrypted", sa.String(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_cluster_kubeconfig_tenant_id_tenant")),
        sa.ForeignKeyConstraint(
            ["workflow_id"],
            ["workflow.id"],
            name=op.f("fk_cluster_kubeconfig_workflow_id_workflow"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cluster_kubeconfig")),
        sa.UniqueConstraint("workflow_id", name=op.f("uq_cluster_kubeconfig_workflow_id")),
    )


def downgrade() -> None:
    op.drop_table("cluster_kubeconfig")
    op.drop_index("ix_endpoint_cluster_id", table_name="endpoint")
    op.drop_index("ix_cluster_silent", table_name="cluster")
    op.drop_index("uq_cluster_cluster_id", table_name="cluster")
    op.drop_index("uq_cluster_name", table_name="cluster")
    op.drop_column("cluster", "deleting_since")
