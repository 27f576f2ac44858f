"""audit trail

Revision ID: 0010
Revises: 0009
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0010"
down_revision: str | None = "0009"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


_FUNCTIONS = """
create function audit_refuse() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' and current_setting('budapp.audit_door', true) = 'open' then
        return old;
    end if;
    raise exception 'the audit trail is append-only: % on % is refused', tg_op, tg_table_name
        using errcode = 'restrict_violation';
end $$;

create function audit_wait_for_seal() returns trigger language plpgsql as $$
begin
    insert into audit_unsealed (chain_id, entry_id, record_hash)
    select coalesce(tenant_id, '00000000-0000-0000-0000-000000000000'), id, record_hash from entries order by id;
    return null;
end $$;

create function audit_remove_until(chain uuid, until bigint) returns bigint language plpgsql as $$
declare
    removed bigint;
begin
    if not exists (select from audit_checkpoint where chain_id = chain and position = until) then
        raise exception 'there is no checkpoint at %', until using errcode = 'restrict_violation';
    end if;
    perform set_config('budapp.audit_door', 'open', true);
    delete from audit_trail t using audit_seal s where s.chain_id = chain and s.position <= until and t.id = s.entry_id;
    delete from audit_seal where chain_id = chain and position <= until;
    get diagnostics removed = row_count;
    perform set_config('budapp.audit_door', '', true);
    return removed;
end $$;
"""
_APPEND_ONLY = """
create trigger {table}_rows before update or delete on {table} for each row execute function audit_refuse();
create trigger {table}_truncate before truncate on {table} for each statement execute function audit_refuse();
"""
_WAITING = """
create trigger audit_trail_wait after insert on audit_trail referencing new table as entries
    for each statement execute function audit_wait_for_seal()
"""


def _execute(script: str, separator: str) -> None:
    for statement in script.strip().split(separator):
        if statement.strip():
            op.execute(statement)


def upgrade() -> None:
    op.create_table(
        "audit_checkpoint",
        sa.Column("chain_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("chain_hash", sa.String(length=64), nullable=False),
        sa.Column("key_id", sa.String(), nullable=False),
        sa.Column("signature", sa.String(length=64), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_checkpoint")),
    )
    op.create_index("uq_audit_checkpoint", "audit_checkpoint", ["chain_id", "position"], unique=True)
    op.create_table(
        "audit_seal",
        sa.Column("chain_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("entry_id", sa.Uuid(), nullable=False),
        sa.Column("record_hash", sa.String(length=64), nullable=False),
        sa.Column("key_id", sa.String(), nullable=False),
        sa.Column("chain_hash", sa.String(length=64), nullable=False),
        sa.Column("sealed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("chain_id", "position", name=op.f("pk_audit_seal")),
        sa.UniqueConstraint("entry_id", name=op.f("uq_audit_seal_entry_id")),
    )
    op.create_table(
        "audit_trail",
        sa.Column("tenant_id", sa.Uuid(), nullable=True),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("actioned_by", sa.Uuid(), nullable=True),
        sa.Column("action", sa.String(length=50), nullable=False),
        sa.Column("resource_type", sa.String(length=50), nullable=False),
        sa.Column("resource_id", sa.Uuid(), nullable=True),
        sa.Column("resource_name", sa.String(length=255), nullable=True),
        sa.Column("timestamp", sa.DateTime(timezone=True), nullable=False),
        sa.Column("details", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("previous_state", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("new_state", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("source", sa.String(length=20), nullable=False),
        sa.Column("ip_address", sa.String(length=45), nullable=True),
        sa.Column("user_agent", sa.String(length=200), nullable=True),
        sa.Column("request_id", sa.String(length=64), nullable=True),
        sa.Column("key_id", sa.String(), nullable=False),
        sa.Column("record_hash", sa.String(length=64), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_trail")),
    )
    op.create_index(
        "ix_audit_trail_action",
        "audit_trail",
        ["tenant_id", "action", sa.literal_column("timestamp DESC"), sa.literal_column("id DESC")],
        unique=False,
    )
    op.create_index(
        "ix_audit_trail_actioned_by",
        "audit_trail",
        ["tenant_id", "actioned_by", sa.literal_column("timestamp DESC"), sa.literal_column("id DESC")],
        unique=False,
    )
    op.create_index(
        "ix_audit_trail_resource_id",
        "audit_trail",
        ["tenant_id", "resource_id", sa.literal_column("timestamp DESC"), sa.literal_column("id DESC")],
        unique=False,
    )
    op.create_index(
        "ix_audit_trail_timestamp",
        "audit_trail",
        ["tenant_id", sa.literal_column("timestamp DESC"), sa.literal_column("id DESC")],
        unique=False,
    )
    op.create_index(
        "ix_audit_trail_user_id",
        "audit_trail",
        ["tenant_id", "user_id", sa.literal_column("timestamp DESC"), sa.literal_column("id DESC")],
        unique=False,
    )
    op.create_table(
        "audit_unsealed",
        sa.Column("number", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("chain_id", sa.Uuid(), nullable=False),
        sa.Column("entry_id", sa.Uuid(), nullable=False),
        sa.Column("record_hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_audit_unsealed")),
    )
    op.create_table(
        "audit_delivery",
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("url", sa.String(), nullable=True),
        sa.Column("secret_encrypted", sa.String(), nullable=True),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_error", sa.String(), nullable=True),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind in ('webhook', 'bucket')", name=op.f("ck_audit_delivery_kind")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_audit_delivery_tenant_id_tenant")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_delivery")),
        sa.UniqueConstraint("tenant_id", name=op.f("uq_audit_delivery_tenant_id")),
    )
    op.create_table(
        "audit_retention",
        sa.Column("days", sa.Integer(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("days >= 1", name=op.f("ck_audit_retention_days")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_audit_retention_tenant_id_tenant")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_retention")),
        sa.UniqueConstraint("tenant_id", name=op.f("uq_audit_retention_tenant_id")),
    )
    _execute(_FUNCTIONS, "\n\n")
    for table in ("audit_trail", "audit_seal", "audit_checkpoint"):
        _execute(_APPEND_ONLY.format(table=table), "\n")
    op.execute(_WAITING)


def downgrade() -> None:
    op.drop_table("audit_retention")
    op.drop_table("audit_delivery")
    op.drop_table("audit_unsealed")
    op.drop_index("ix_audit_trail_user_id", table_name="audit_trail")
    op.drop_index("ix_audit_trail_timestamp", table_name="audit_trail")
    op.drop_index("ix_audit_trail_resource_id", table_name="audit_trail")
    op.drop_index("ix_audit_trail_actioned_by", table_name="audit_trail")
    op.drop_index("ix_audit_trail_action", table_name="audit_trail")
    op.drop_table("audit_trail")
    op.drop_table("audit_seal")
    op.drop_index("uq_audit_checkpoint", table_name="audit_checkpoint")
    op.drop_table("audit_checkpoint")
    for function in ("audit_refuse()", "audit_wait_for_seal()", "audit_remove_until(uuid, bigint)"):
        op.execute(f"drop function {function}")
