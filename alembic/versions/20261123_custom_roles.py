"""custom roles

Revision ID: 0009
Revises: 0008
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0009"
down_revision: str | None = "0008"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "custom_role",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=True),
        sa.Column("scopes", sa.ARRAY(sa.String()), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_custom_role_tenant_id_tenant")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_custom_role")),
    )
    op.create_index(
        "uq_custom_role_tenant_id_name", "custom_role", ["tenant_id", sa.literal_column("lower(name)")], unique=True
    )
    op.add_column("user", sa.Column("custom_role_id", sa.Uuid(), nullable=True))
    op.create_index(op.f("ix_user_custom_role_id"), "user", ["custom_role_id"], unique=False)
    op.create_foreign_key(op.f("fk_user_custom_role_id_custom_role"), "user", "custom_role", ["custom_role_id"], ["id"])
    op.create_check_constraint(
        "custom_role", "user", "custom_role_id is null or (role <> 'super_admin' and user_type = 'admin')"
    )


def downgrade() -> None:
    op.drop_constraint(op.f("ck_user_custom_role"), "user", type_="check")
    op.drop_constraint(op.f("fk_user_custom_role_id_custom_role"), "user", type_="foreignkey")
    op.drop_index(op.f("ix_user_custom_role_id"), table_name="user")
    op.drop_column("user", "custom_role_id")
    op.drop_table("custom_role")
