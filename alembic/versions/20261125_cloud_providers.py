"""cloud providers, access to them, settings of clusters

Revision ID: 0031
Revises: 0041
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0031"
down_revision: str | None = "0041"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def _own() -> list[sa.Column[object]]:
    return [
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
    ]


def _refers(table: str, column: str, other: str, ondelete: str | None = None) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_{column}_{other}")
    return sa.ForeignKeyConstraint([column], [f"{other}.id"], name=name, ondelete=ondelete)


def upgrade() -> None:
    op.create_table(
        "cloud_provider",
        sa.Column("unique_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("logo_url", sa.String(), nullable=False),
        sa.Column("is_enabled", sa.Boolean(), nullable=False),
        sa.Column("schema_definition", postgresql.JSONB(), nullable=False),
        sa.Column("regions", postgresql.JSONB(), nullable=False),
        *_own(),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cloud_provider")),
        sa.UniqueConstraint("unique_id", name=op.f("uq_cloud_provider_unique_id")),
    )
    op.create_table(
        "cloud_credential",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("provider_id", sa.Uuid(), nullable=False),
        sa.Column("credential_name", sa.String(), nullable=False),
        sa.Column("values_encrypted", sa.String(), nullable=False),
        sa.Column("summary", postgresql.JSONB(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        *_own(),
        _refers("cloud_credential", "user_id", "user", ondelete="CASCADE"),
        _refers("cloud_credential", "provider_id", "cloud_provider"),
        _refers("cloud_credential", "tenant_id", "tenant"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cloud_credential")),
    )
    op.create_index("ix_cloud_credential_tenant_id", "cloud_credential", ["tenant_id", sa.text("created_at DESC")])
    modes = "'ReadWriteOnce', 'ReadWriteMany', 'ReadOnlyMany', 'ReadWriteOncePod'"
    op.create_table(
        "cluster_settings",
        sa.Column("cluster_id", sa.Uuid(), nullable=False),
        sa.Column("default_storage_class", sa.String(), nullable=True),
        sa.Column("default_access_mode", sa.String(), nullable=True),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        *_own(),
        sa.CheckConstraint(f"default_access_mode in ({modes})", name=op.f("ck_cluster_settings_default_access_mode")),
        _refers("cluster_settings", "cluster_id", "cluster", ondelete="CASCADE"),
        _refers("cluster_settings", "created_by", "user"),
        _refers("cluster_settings", "tenant_id", "tenant"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cluster_settings")),
        sa.UniqueConstraint("cluster_id", name=op.f("uq_cluster_settings_cluster_id")),
    )


def downgrade() -> None:
    op.drop_table("cluster_settings")
    op.drop_table("cloud_credential")
    op.drop_table("cloud_provider")
