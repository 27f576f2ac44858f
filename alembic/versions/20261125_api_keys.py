"""API keys: secrets that rotate, limits, settings of tenants; changes that the gateway's tables follow from

Revision ID: 0061
Revises: 0031
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0061"
down_revision: str | None = "0031"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_KEY = "credential"


def _own() -> list[sa.Column[object]]:
    return [
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
    ]


def upgrade() -> None:
    op.alter_column(_KEY, "encrypted_key", existing_type=sa.String(), nullable=True)
    op.add_column(_KEY, sa.Column("masked_key", sa.String(), server_default="", nullable=False))
    for name in ("key_hmac", "previous_hashed_key", "previous_key_hmac"):
        op.add_column(_KEY, sa.Column(name, sa.String(), nullable=True))
    for name in ("previous_expires_at", "expiry_notified_at"):
        op.add_column(_KEY, sa.Column(name, sa.DateTime(timezone=True), nullable=True))
    for name in ("endpoint_ids", "model_ids"):
        op.add_column(_KEY, sa.Column(name, sa.ARRAY(sa.Uuid()), nullable=True))
    op.create_unique_constraint(op.f("uq_credential_previous_hashed_key"), _KEY, ["previous_hashed_key"])
    op.create_index(
        "ix_credential_tenant_id_created_at", _KEY, ["tenant_id", sa.text("created_at DESC"), sa.text("id DESC")]
    )
    op.create_index("ix_credential_expiry", _KEY, ["expiry"], postgresql_where=sa.text("expiry_notified_at IS NULL"))
    op.create_table(
        "api_key_policy",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("default_expiry_days", sa.Integer(), nullable=True),
        sa.Column("notify_days", sa.Integer(), nullable=False),
        *_own(),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_api_key_policy_tenant_id_tenant")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_key_policy")),
        sa.UniqueConstraint("tenant_id", name=op.f("uq_api_key_policy_tenant_id")),
    )
    op.create_table(
        "gateway_change",
        sa.Column("position", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("item", sa.String(), nullable=False),
        *_own(),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gateway_change")),
    )
    op.create_index("ix_gateway_change_position", "gateway_change", ["position"])
    op.execute(sa.schema.CreateSequence(sa.Sequence("gateway_version")))


def downgrade() -> None:
    op.execute(sa.schema.DropSequence(sa.Sequence("gateway_version")))
    op.drop_table("gateway_change")
    op.drop_table("api_key_policy")
    op.execute("delete from credential where encrypted_key is null")
    op.drop_index("ix_credential_expiry", table_name=_KEY)
    op.drop_index("ix_credential_tenant_id_created_at", table_name=_KEY)
    op.drop_constraint(op.f("uq_credential_previous_hashed_key"), _KEY)
    for name in ("endpoint_ids", "model_ids", "previous_expires_at", "expiry_notified_at"):
        op.drop_column(_KEY, name)
    for name in ("key_hmac", "previous_hashed_key", "previous_key_hmac", "masked_key"):
        op.drop_column(_KEY, name)
    op.alter_column(_KEY, "encrypted_key", existing_type=sa.String(), nullable=False)
