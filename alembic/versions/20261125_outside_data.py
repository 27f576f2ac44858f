"""Events that could not be handled are kept in the inbox; what budmodel says in another shape is kept beside a model

Revision ID: 0022
Revises: 0021
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0022"
down_revision: str | None = "0021"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_INDEXES = {"next_attempt_at": "next_attempt_at IS NOT NULL", "dead_at": "dead_at IS NOT NULL"}


def upgrade() -> None:
    op.add_column("inbox_message", sa.Column("attempts", sa.Integer(), nullable=False, server_default="0"))
    op.alter_column("inbox_message", "attempts", server_default=None)
    op.add_column("inbox_message", sa.Column("payload", postgresql.JSONB(none_as_null=True), nullable=True))
    op.add_column("inbox_message", sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("inbox_message", sa.Column("last_error", sa.String(), nullable=True))
    op.add_column("inbox_message", sa.Column("dead_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("inbox_message", sa.Column("lock_token", sa.Uuid(), nullable=True))
    op.add_column("inbox_message", sa.Column("lock_expires_at", sa.DateTime(timezone=True), nullable=True))
    for column, condition in _INDEXES.items():
        name = f"ix_inbox_message_{column}"
        op.create_index(name, "inbox_message", [column], unique=False, postgresql_where=sa.text(condition))
    op.add_column("model", sa.Column("unread_info", postgresql.JSONB(none_as_null=True), nullable=True))


def downgrade() -> None:
    op.drop_column("model", "unread_info")
    for column, condition in _INDEXES.items():
        name = f"ix_inbox_message_{column}"
        op.drop_index(name, table_name="inbox_message", postgresql_where=sa.text(condition))
    for name in ("lock_expires_at", "lock_token", "dead_at", "last_error", "next_attempt_at", "payload", "attempts"):
        op.drop_column("inbox_message", name)
