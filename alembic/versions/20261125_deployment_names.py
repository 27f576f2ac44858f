"""deployment names

Revision ID: 0040
Revises: 0050
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0040"
down_revision: str | None = "0050"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "deployment_name",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("workflow_id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_deployment_name_tenant_id_tenant")),
        sa.ForeignKeyConstraint(
            ["workflow_id"], ["workflow.id"], name=op.f("fk_deployment_name_workflow_id_workflow"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deployment_name")),
        sa.UniqueConstraint("tenant_id", "name", name=op.f("uq_deployment_name_tenant_id_name")),
    )
    op.create_index(op.f("ix_deployment_name_workflow_id"), "deployment_name", ["workflow_id"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_deployment_name_workflow_id"), table_name="deployment_name")
    op.drop_table("deployment_name")
