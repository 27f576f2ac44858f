"""leases of attempts, reserved idempotency keys, failures of jobs

Revision ID: 0020
Revises: 0019
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0020"
down_revision: str | None = "0019"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("workflow_attempt", sa.Column("lock_token", sa.Uuid(), nullable=True))
    op.alter_column("workflow_attempt", "lease_expires_at", nullable=True)
    op.add_column("idempotency_record", sa.Column("resource_id", sa.Uuid(), nullable=True))
    op.add_column("idempotency_record", sa.Column("lock_token", sa.Uuid(), nullable=True))
    op.add_column("idempotency_record", sa.Column("lock_expires_at", sa.DateTime(timezone=True), nullable=True))
    op.alter_column("idempotency_record", "status", nullable=True)
    op.alter_column("idempotency_record", "body_encrypted", nullable=True)
    op.create_table(
        "job_failure",
        sa.Column("job", sa.String(), nullable=False),
        sa.Column("item", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job_failure")),
        sa.UniqueConstraint("job", "item", name=op.f("uq_job_failure_job_item")),
    )


def downgrade() -> None:
    op.drop_table("job_failure")
    op.execute("delete from idempotency_record where status is null")
    op.alter_column("idempotency_record", "body_encrypted", nullable=False)
    op.alter_column("idempotency_record", "status", nullable=False)
    op.drop_column("idempotency_record", "lock_expires_at")
    op.drop_column("idempotency_record", "lock_token")
    op.drop_column("idempotency_record", "resource_id")
    op.execute("update workflow_attempt set lease_expires_at = now() where lease_expires_at is null")
    op.alter_column("workflow_attempt", "lease_expires_at", nullable=False)
    op.drop_column("workflow_attempt", "lock_token")
