"""models

Revision ID: 0012
Revises: 0011
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0012"
down_revision: str | None = "0011"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "provider",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=True),
        sa.Column("icon", sa.String(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("capabilities", sa.ARRAY(sa.String()), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_provider")),
        sa.UniqueConstraint("type", name=op.f("uq_provider_type")),
    )
    op.create_table(
        "cloud_model",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=True),
        sa.Column("tags", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("tasks", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("author", sa.String(), nullable=True),
        sa.Column("model_size", sa.BigInteger(), nullable=True),
        sa.Column("github_url", sa.String(), nullable=True),
        sa.Column("huggingface_url", sa.String(), nullable=True),
        sa.Column("website_url", sa.String(), nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("modality", sa.ARRAY(sa.String()), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("provider_type", sa.String(), nullable=False),
        sa.Column("uri", sa.String(), nullable=False),
        sa.Column("provider_id", sa.Uuid(), nullable=False),
        sa.Column("deprecation_date", sa.Date(), nullable=True),
        sa.Column("max_input_tokens", sa.Integer(), nullable=True),
        sa.Column("input_cost", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("output_cost", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("supported_endpoints", sa.ARRAY(sa.String()), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "provider_type in ('cloud_model', 'hugging_face', 'url', 'disk')", name=op.f("ck_cloud_model_provider_type")
        ),
        sa.CheckConstraint("status in ('active', 'deleted')", name=op.f("ck_cloud_model_status")),
        sa.ForeignKeyConstraint(["provider_id"], ["provider.id"], name=op.f("fk_cloud_model_provider_id_provider")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cloud_model")),
        sa.UniqueConstraint("uri", name=op.f("uq_cloud_model_uri")),
    )
    op.create_index("ix_cloud_model_provider_id", "cloud_model", ["provider_id"], unique=False)
    op.create_table(
        "model",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=True),
        sa.Column("tags", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("tasks", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("author", sa.String(), nullable=True),
        sa.Column("model_size", sa.BigInteger(), nullable=True),
        sa.Column("icon", sa.String(), nullable=True),
        sa.Column("github_url", sa.String(), nullable=True),
        sa.Column("huggingface_url", sa.String(), nullable=True),
        sa.Column("website_url", sa.String(), nullable=True),
        sa.Column("bud_verified", sa.Boolean(), nullable=False),
        sa.Column("scan_verified", sa.Boolean(), nullable=True),
        sa.Column("eval_verified", sa.Boolean(), nullable=False),
        sa.Column("strengths", sa.ARRAY(sa.String()), nullable=True),
        sa.Column("limitations", sa.ARRAY(sa.String()), nullable=True),
        sa.Column("languages", sa.ARRAY(sa.String()), nullable=True),
        sa.Column("use_cases", sa.ARRAY(sa.String()), nullable=True),
        sa.Column("minimum_requirements", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("examples", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("base_model", sa.ARRAY(sa.String()), nullable=True),
        sa.Column("base_model_relation", sa.String(), nullable=True),
        sa.Column("model_type", sa.String(), nullable=True),
        sa.Column("family", sa.String(), nullable=True),
        sa.Column("model_weights_size", sa.BigInteger(), nullable=True),
        sa.Column("kv_cache_size", sa.BigInteger(), nullable=True),
        sa.Column("architecture_text_config", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("architecture_vision_config", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("architecture_audio_config", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("modality", sa.ARRAY(sa.String()), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("provider_type", sa.String(), nullable=False),
        sa.Column("uri", sa.String(), nullable=False),
        sa.Column("local_path", sa.String(), nullable=True),
        sa.Column("provider_id", sa.Uuid(), nullable=True),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("supported_endpoints", sa.ARRAY(sa.String()), nullable=False),
        sa.Column("max_input_tokens", sa.Integer(), nullable=True),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "base_model_relation in ('adapter', 'merge', 'quantized', 'finetune')",
            name=op.f("ck_model_base_model_relation"),
        ),
        sa.CheckConstraint(
            "provider_type in ('cloud_model', 'hugging_face', 'url', 'disk')", name=op.f("ck_model_provider_type")
        ),
        sa.CheckConstraint("status in ('active', 'deleted')", name=op.f("ck_model_status")),
        sa.ForeignKeyConstraint(["created_by"], ["user.id"], name=op.f("fk_model_created_by_user")),
        sa.ForeignKeyConstraint(["provider_id"], ["provider.id"], name=op.f("fk_model_provider_id_provider")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_model_tenant_id_tenant")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model")),
    )
    op.create_index(
        "ix_model_created_at",
        "model",
        ["tenant_id", sa.literal_column("created_at DESC"), sa.literal_column("id DESC")],
        unique=False,
        postgresql_where=sa.text("status = 'active'"),
    )
    op.create_index(
        "uq_model_name",
        "model",
        ["tenant_id", sa.literal_column("lower(name)")],
        unique=True,
        postgresql_where=sa.text("status = 'active'"),
    )
    op.create_index(
        "uq_model_source_uri",
        "model",
        ["tenant_id", "source", "uri"],
        unique=True,
        postgresql_where=sa.text("status = 'active'"),
    )
    op.create_table(
        "model_licenses",
        sa.Column("model_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=True),
        sa.Column("url", sa.String(), nullable=True),
        sa.Column("path", sa.String(), nullable=True),
        sa.Column("faqs", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("license_type", sa.String(), nullable=True),
        sa.Column("description", sa.String(), nullable=True),
        sa.Column("suitability", sa.String(), nullable=True),
        sa.Column("data_type", sa.String(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("data_type in ('url', 'minio')", name=op.f("ck_model_licenses_data_type")),
        sa.ForeignKeyConstraint(
            ["model_id"], ["model.id"], name=op.f("fk_model_licenses_model_id_model"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_model_licenses_tenant_id_tenant")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model_licenses")),
        sa.UniqueConstraint("model_id", name=op.f("uq_model_licenses_model_id")),
    )
    op.create_table(
        "model_security_scan_result",
        sa.Column("model_id", sa.Uuid(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("total_issues", sa.Integer(), nullable=False),
        sa.Column("total_scanned_files", sa.Integer(), nullable=False),
        sa.Column("total_skipped_files", sa.Integer(), nullable=False),
        sa.Column("scanned_files", sa.ARRAY(sa.String()), nullable=False),
        sa.Column("low_severity_count", sa.Integer(), nullable=False),
        sa.Column("medium_severity_count", sa.Integer(), nullable=False),
        sa.Column("high_severity_count", sa.Integer(), nullable=False),
        sa.Column("critical_severity_count", sa.Integer(), nullable=False),
        sa.Column("model_issues", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "status in ('low', 'medium', 'high', 'critical', 'safe')", name=op.f("ck_model_security_scan_result_status")
        ),
        sa.ForeignKeyConstraint(
            ["model_id"], ["model.id"], name=op.f("fk_model_security_scan_result_model_id_model"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenant.id"], name=op.f("fk_model_security_scan_result_tenant_id_tenant")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model_security_scan_result")),
        sa.UniqueConstraint("model_id", name=op.f("uq_model_security_scan_result_model_id")),
    )
    op.create_table(
        "paper_published",
        sa.Column("model_id", sa.Uuid(), nullable=False),
        sa.Column("title", sa.String(), nullable=True),
        sa.Column("authors", sa.ARRAY(sa.String()), nullable=True),
        sa.Column("url", sa.String(), nullable=True),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["model_id"], ["model.id"], name=op.f("fk_paper_published_model_id_model"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_paper_published_tenant_id_tenant")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_paper_published")),
    )
    op.create_index(op.f("ix_paper_published_model_id"), "paper_published", ["model_id"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_paper_published_model_id"), table_name="paper_published")
    op.drop_table("paper_published")
    op.drop_table("model_security_scan_result")
    op.drop_table("model_licenses")
    op.drop_index("uq_model_source_uri", table_name="model", postgresql_where=sa.text("status = 'active'"))
    op.drop_index("uq_model_name", table_name="model", postgresql_where=sa.text("status = 'active'"))
    op.drop_index("ix_model_created_at", table_name="model", postgresql_where=sa.text("status = 'active'"))
    op.drop_table("model")
    op.drop_index("ix_cloud_model_provider_id", table_name="cloud_model")
    op.drop_table("cloud_model")
    op.drop_table("provider")
