"""service accounts

Revision ID: 0071
Revises: 0070
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0071"
down_revision: str | None = "0070"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("user", sa.Column("service_rights", sa.String(), nullable=True))
    op.create_check_constraint(op.f("ck_user_service_rights"), "user", "service_rights in ('role', 'projects')")
    op.alter_column("credential", "project_id", existing_type=sa.Uuid(), nullable=True)
    op.add_column("credential", sa.Column("issued_by", sa.Uuid(), nullable=True))
    op.create_foreign_key(
        op.f("fk_credential_issued_by_user"), "credential", "user", ["issued_by"], ["id"], ondelete="SET NULL"
    )
    op.create_index(
        "uq_credential_user_id_name_in_no_project",
        "credential",
        ["user_id", sa.literal_column("lower(name)")],
        unique=True,
        postgresql_where=sa.text("project_id IS NULL"),
    )
    op.create_table(
        "service_account",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=True),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["created_by"], ["user.id"], name=op.f("fk_service_account_created_by_user")),
        sa.ForeignKeyConstraint(["id"], ["user.id"], name=op.f("fk_service_account_id_user"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_service_account_tenant_id_tenant")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_service_account")),
    )
    op.create_index(
        "uq_service_account_tenant_id_name",
        "service_account",
        ["tenant_id", sa.literal_column("lower(name)")],
        unique=True,
    )
    op.create_index(
        "ix_service_account_tenant_id_created_at",
        "service_account",
        ["tenant_id", sa.literal_column("created_at DESC"), sa.literal_column("id DESC")],
        unique=False,
    )


def downgrade() -> None:
    op.drop_table("service_account")
    op.execute("DELETE FROM credential WHERE project_id IS NULL")
    op.drop_index("uq_credential_user_id_name_in_no_project", table_name="credential")
    op.drop_constraint(op.f("fk_credential_issued_by_user"), "credential", type_="foreignkey")
    op.drop_column("credential", "issued_by")
    op.alter_column("credential", "project_id", existing_type=sa.Uuid(), nullable=False)
    op.drop_constraint(op.f("ck_user_service_rights"), "user", type_="check")
    op.drop_column("user", "service_rights")
