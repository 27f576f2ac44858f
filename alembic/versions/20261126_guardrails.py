"""guardrails

Revision ID: 0101
Revises: 0100
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0101"
down_revision: str | None = "0100"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "guardrail_probe",
        sa.Column("tenant_id", sa.Uuid(), nullable=True),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("uri", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=True),
        sa.Column("icon", sa.String(), nullable=True),
        sa.Column("tags", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("provider_id", sa.Uuid(), nullable=False),
        sa.Column("provider_type", sa.String(), nullable=False),
        sa.Column("probe_type", sa.String(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "probe_type in ('provider', 'model_scanner', 'custom')", name=op.f("ck_guardrail_probe_probe_type")
        ),
        sa.CheckConstraint("provider_type in ('cloud', 'bud')", name=op.f("ck_guardrail_probe_provider_type")),
        sa.CheckConstraint("status in ('active', 'disabled', 'deleted')", name=op.f("ck_guardrail_probe_status")),
        sa.CheckConstraint("(tenant_id is null) = (created_by is null)", name=op.f("ck_guardrail_probe_owner")),
        sa.ForeignKeyConstraint(["created_by"], ["user.id"], name=op.f("fk_guardrail_probe_created_by_user")),
        sa.ForeignKeyConstraint(["provider_id"], ["provider.id"], name=op.f("fk_guardrail_probe_provider_id_provider")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_guardrail_probe_tenant_id_tenant")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_guardrail_probe")),
        sa.UniqueConstraint("uri", name=op.f("uq_guardrail_probe_uri")),
    )
    op.create_index(op.f("ix_guardrail_probe_provider_id"), "guardrail_probe", ["provider_id"], unique=False)
    op.create_index(op.f("ix_guardrail_probe_tenant_id"), "guardrail_probe", ["tenant_id"], unique=False)
    op.create_table(
        "guardrail_profile",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=True),
        sa.Column("tags", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("severity_threshold", sa.Double(), nullable=False),
        sa.Column("guard_types", sa.ARRAY(sa.String()), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("status in ('active', 'disabled', 'deleted')", name=op.f("ck_guardrail_profile_status")),
        sa.CheckConstraint("severity_threshold between 0 and 1", name=op.f("ck_guardrail_profile_severity_threshold")),
        sa.ForeignKeyConstraint(["created_by"], ["user.id"], name=op.f("fk_guardrail_profile_created_by_user")),
        sa.ForeignKeyConstraint(
            ["project_id"], ["project.id"], name=op.f("fk_guardrail_profile_project_id_project"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_guardrail_profile_tenant_id_tenant")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_guardrail_profile")),
    )
    op.create_index(
        "ix_guardrail_profile_project_id",
        "guardrail_profile",
        ["project_id"],
        unique=False,
        postgresql_where=sa.text("status != 'deleted'"),
    )
    op.create_index(
        "uq_guardrail_profile_tenant_id_name",
        "guardrail_profile",
        ["tenant_id", sa.literal_column("lower(name)")],
        unique=True,
        postgresql_where=sa.text("status != 'deleted'"),
    )
    op.create_table(
        "guardrail_rule",
        sa.Column("tenant_id", sa.Uuid(), nullable=True),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("probe_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("uri", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=True),
        sa.Column("icon", sa.String(), nullable=True),
        sa.Column("examples", sa.ARRAY(sa.String()), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("guard_types", sa.ARRAY(sa.String()), nullable=False),
        sa.Column("modality_types", sa.ARRAY(sa.String()), nullable=False),
        sa.Column("scanner_type", sa.String(), nullable=True),
        sa.Column("model_uri", sa.String(), nullable=True),
        sa.Column("model_provider_type", sa.String(), nullable=True),
        sa.Column("is_gated", sa.Boolean(), nullable=False),
        sa.Column("model_config_json", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "model_provider_type in ('cloud_model', 'hugging_face', 'url', 'disk')",
            name=op.f("ck_guardrail_rule_model_provider_type"),
        ),
        sa.CheckConstraint(
            "scanner_type in ('classifier', 'llm', 'pattern', 'static_classifier')",
            name=op.f("ck_guardrail_rule_scanner_type"),
        ),
        sa.CheckConstraint("status in ('active', 'disabled', 'deleted')", name=op.f("ck_guardrail_rule_status")),
        sa.ForeignKeyConstraint(["created_by"], ["user.id"], name=op.f("fk_guardrail_rule_created_by_user")),
        sa.ForeignKeyConstraint(
            ["probe_id"],
            ["guardrail_probe.id"],
            name=op.f("fk_guardrail_rule_probe_id_guardrail_probe"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_guardrail_rule_tenant_id_tenant")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_guardrail_rule")),
        sa.UniqueConstraint("uri", name=op.f("uq_guardrail_rule_uri")),
    )
    op.create_index(op.f("ix_guardrail_rule_probe_id"), "guardrail_rule", ["probe_id"], unique=False)
    op.create_index(op.f("ix_guardrail_rule_tenant_id"), "guardrail_rule", ["tenant_id"], unique=False)
    op.create_table(
        "guardrail_deployment",
        sa.Column("profile_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("endpoint_id", sa.Uuid(), nullable=True),
        sa.Column("credential_id", sa.Uuid(), nullable=True),
        sa.Column("severity_threshold", sa.Double(), nullable=True),
        sa.Column("guard_types", sa.ARRAY(sa.String()), nullable=True),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "status in ('running', 'failure', 'deploying', 'unhealthy', 'deleting', 'deleted', 'pending')",
            name=op.f("ck_guardrail_deployment_status"),
        ),
        sa.CheckConstraint(
            "severity_threshold between 0 and 1", name=op.f("ck_guardrail_deployment_severity_threshold")
        ),
        sa.ForeignKeyConstraint(["created_by"], ["user.id"], name=op.f("fk_guardrail_deployment_created_by_user")),
        sa.ForeignKeyConstraint(
            ["credential_id"],
            ["proprietary_credential.id"],
            name=op.f("fk_guardrail_deployment_credential_id_proprietary_credential"),
        ),
        sa.ForeignKeyConstraint(
            ["endpoint_id"],
            ["endpoint.id"],
            name=op.f("fk_guardrail_deployment_endpoint_id_endpoint"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["profile_id"],
            ["guardrail_profile.id"],
            name=op.f("fk_guardrail_deployment_profile_id_guardrail_profile"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["project_id"], ["project.id"], name=op.f("fk_guardrail_deployment_project_id_project"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_guardrail_deployment_tenant_id_tenant")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_guardrail_deployment")),
    )
    op.create_index(
        op.f("ix_guardrail_deployment_credential_id"), "guardrail_deployment", ["credential_id"], unique=False
    )
    op.create_index(op.f("ix_guardrail_deployment_profile_id"), "guardrail_deployment", ["profile_id"], unique=False)
    op.create_index(op.f("ix_guardrail_deployment_project_id"), "guardrail_deployment", ["project_id"], unique=False)
    op.create_index(
        "uq_guardrail_deployment_endpoint_id",
        "guardrail_deployment",
        ["endpoint_id"],
        unique=True,
        postgresql_where=sa.text("status != 'deleted'"),
    )
    op.create_table(
        "guardrail_profile_probe",
        sa.Column("profile_id", sa.Uuid(), nullable=False),
        sa.Column("probe_id", sa.Uuid(), nullable=False),
        sa.Column("severity_threshold", sa.Double(), nullable=True),
        sa.Column("guard_types", sa.ARRAY(sa.String()), nullable=True),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "severity_threshold between 0 and 1", name=op.f("ck_guardrail_profile_probe_severity_threshold")
        ),
        sa.ForeignKeyConstraint(
            ["probe_id"],
            ["guardrail_probe.id"],
            name=op.f("fk_guardrail_profile_probe_probe_id_guardrail_probe"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["profile_id"],
            ["guardrail_profile.id"],
            name=op.f("fk_guardrail_profile_probe_profile_id_guardrail_profile"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_guardrail_profile_probe_tenant_id_tenant")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_guardrail_profile_probe")),
        sa.UniqueConstraint("profile_id", "probe_id", name=op.f("uq_guardrail_profile_probe_profile_id_probe_id")),
    )
    op.create_index(op.f("ix_guardrail_profile_probe_probe_id"), "guardrail_profile_probe", ["probe_id"], unique=False)
    op.create_table(
        "guardrail_profile_rule",
        sa.Column("profile_id", sa.Uuid(), nullable=False),
        sa.Column("rule_id", sa.Uuid(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("severity_threshold", sa.Double(), nullable=True),
        sa.Column("guard_types", sa.ARRAY(sa.String()), nullable=True),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "status in ('active', 'disabled', 'deleted')", name=op.f("ck_guardrail_profile_rule_status")
        ),
        sa.CheckConstraint(
            "severity_threshold between 0 and 1", name=op.f("ck_guardrail_profile_rule_severity_threshold")
        ),
        sa.ForeignKeyConstraint(
            ["profile_id"],
            ["guardrail_profile.id"],
            name=op.f("fk_guardrail_profile_rule_profile_id_guardrail_profile"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["rule_id"],
            ["guardrail_rule.id"],
            name=op.f("fk_guardrail_profile_rule_rule_id_guardrail_rule"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_guardrail_profile_rule_tenant_id_tenant")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_guardrail_profile_rule")),
        sa.UniqueConstraint("profile_id", "rule_id", name=op.f("uq_guardrail_profile_rule_profile_id_rule_id")),
    )
    op.create_index(op.f("ix_guardrail_profile_rule_rule_id"), "guardrail_profile_rule", ["rule_id"], unique=False)
    op.create_table(
        "guardrail_rule_deployment",
        sa.Column("profile_id", sa.Uuid(), nullable=False),
        sa.Column("rule_id", sa.Uuid(), nullable=False),
        sa.Column("endpoint_id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["endpoint_id"],
            ["endpoint.id"],
            name=op.f("fk_guardrail_rule_deployment_endpoint_id_endpoint"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["profile_id"],
            ["guardrail_profile.id"],
            name=op.f("fk_guardrail_rule_deployment_profile_id_guardrail_profile"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["rule_id"],
            ["guardrail_rule.id"],
            name=op.f("fk_guardrail_rule_deployment_rule_id_guardrail_rule"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenant.id"], name=op.f("fk_guardrail_rule_deployment_tenant_id_tenant")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_guardrail_rule_deployment")),
        sa.UniqueConstraint("profile_id", "rule_id", name=op.f("uq_guardrail_rule_deployment_profile_id_rule_id")),
    )
    op.create_index(
        op.f("ix_guardrail_rule_deployment_endpoint_id"), "guardrail_rule_deployment", ["endpoint_id"], unique=False
    )
    op.create_index(
        op.f("ix_guardrail_rule_deployment_rule_id"), "guardrail_rule_deployment", ["rule_id"], unique=False
    )


def downgrade() -> None:
    op.drop_table("guardrail_rule_deployment")
    op.drop_table("guardrail_profile_rule")
    op.drop_table("guardrail_profile_probe")
    op.drop_table("guardrail_deployment")
    op.drop_table("guardrail_rule")
    op.drop_table("guardrail_profile")
    op.drop_table("guardrail_probe")
