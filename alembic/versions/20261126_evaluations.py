"""evaluations

Revision ID: 0100
Revises: 0072
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0100"
down_revision: str | None = "0072"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "eval_dataset",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("meta_links", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "config_validation_schema", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True
        ),
        sa.Column("estimated_input_tokens", sa.Integer(), nullable=True),
        sa.Column("estimated_output_tokens", sa.Integer(), nullable=True),
        sa.Column("language", sa.ARRAY(sa.String()), nullable=False),
        sa.Column("domains", sa.ARRAY(sa.String()), nullable=False),
        sa.Column("concepts", sa.ARRAY(sa.String()), nullable=False),
        sa.Column("humans_vs_llm_qualifications", sa.ARRAY(sa.String()), nullable=False),
        sa.Column("task_type", sa.ARRAY(sa.String()), nullable=False),
        sa.Column("modalities", sa.ARRAY(sa.String()), nullable=False),
        sa.Column("sample_questions_answers", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("advantages_disadvantages", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("eval_types", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("why_run_this_eval", sa.ARRAY(sa.String()), nullable=False),
        sa.Column("what_to_expect", sa.ARRAY(sa.String()), nullable=False),
        sa.Column("additional_info", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("metrics", sa.ARRAY(sa.String()), nullable=False),
        sa.Column("evaluator", sa.String(), nullable=True),
        sa.Column("is_proportion", sa.Boolean(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("status in ('active', 'deleted')", name=op.f("ck_eval_dataset_status")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_eval_dataset")),
        sa.UniqueConstraint("name", name=op.f("uq_eval_dataset_name")),
    )
    op.create_table(
        "eval_sync",
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("synced_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("status in ('completed', 'failed')", name=op.f("ck_eval_sync_status")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_eval_sync")),
    )
    op.create_table(
        "eval_trait",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=True),
        sa.Column("icon", sa.String(), nullable=True),
        sa.Column("category", sa.String(), nullable=True),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_eval_trait")),
        sa.UniqueConstraint("name", name=op.f("uq_eval_trait_name")),
    )
    op.create_table(
        "eval_dataset_version",
        sa.Column("dataset_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("sample_count", sa.Integer(), nullable=True),
        sa.Column("is_current", sa.Boolean(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["dataset_id"],
            ["eval_dataset.id"],
            name=op.f("fk_eval_dataset_version_dataset_id_eval_dataset"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_eval_dataset_version")),
        sa.UniqueConstraint("dataset_id", "version", name=op.f("uq_eval_dataset_version_dataset_id_version")),
    )
    op.create_index(
        "uq_eval_dataset_version_current",
        "eval_dataset_version",
        ["dataset_id"],
        unique=True,
        postgresql_where=sa.text("is_current"),
    )
    op.create_table(
        "eval_trait_dataset",
        sa.Column("trait_id", sa.Uuid(), nullable=False),
        sa.Column("dataset_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["dataset_id"],
            ["eval_dataset.id"],
            name=op.f("fk_eval_trait_dataset_dataset_id_eval_dataset"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["trait_id"], ["eval_trait.id"], name=op.f("fk_eval_trait_dataset_trait_id_eval_trait"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_eval_trait_dataset")),
        sa.UniqueConstraint("trait_id", "dataset_id", name=op.f("uq_eval_trait_dataset_trait_id_dataset_id")),
    )
    op.create_index(op.f("ix_eval_trait_dataset_dataset_id"), "eval_trait_dataset", ["dataset_id"], unique=False)
    op.create_table(
        "eval_tag",
        sa.Column("name", sa.String(length=20), nullable=False),
        sa.Column("description", sa.String(), nullable=True),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["created_by"], ["user.id"], name=op.f("fk_eval_tag_created_by_user")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_eval_tag_tenant_id_tenant")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_eval_tag")),
    )
    op.create_index(
        "uq_eval_tag_tenant_id_name", "eval_tag", ["tenant_id", sa.literal_column("lower(name)")], unique=True
    )
    op.create_table(
        "experiment",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=True),
        sa.Column("tag_ids", sa.ARRAY(sa.Uuid()), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("status in ('active', 'deleted')", name=op.f("ck_experiment_status")),
        sa.ForeignKeyConstraint(["created_by"], ["user.id"], name=op.f("fk_experiment_created_by_user")),
        sa.ForeignKeyConstraint(
            ["project_id"], ["project.id"], name=op.f("fk_experiment_project_id_project"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_experiment_tenant_id_tenant")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_experiment")),
    )
    op.create_index(op.f("ix_experiment_project_id"), "experiment", ["project_id"], unique=False)
    op.create_index(
        "ix_experiment_tenant_id_created_at",
        "experiment",
        ["tenant_id", sa.literal_column("created_at DESC"), sa.literal_column("id DESC")],
        unique=False,
        postgresql_where=sa.text("status != 'deleted'"),
    )
    op.create_index(
        "uq_experiment_created_by_name",
        "experiment",
        ["created_by", "name"],
        unique=True,
        postgresql_where=sa.text("status != 'deleted'"),
    )
    op.create_table(
        "evaluation",
        sa.Column("experiment_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("workflow_id", sa.Uuid(), nullable=True),
        sa.Column("endpoint_id", sa.Uuid(), nullable=False),
        sa.Column("model_id", sa.Uuid(), nullable=False),
        sa.Column("trait_ids", sa.ARRAY(sa.Uuid()), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("duration_in_seconds", sa.Integer(), nullable=True),
        sa.Column("eta_seconds", sa.Integer(), nullable=True),
        sa.Column("key_encrypted", sa.String(), nullable=True),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "status in ('pending', 'running', 'completed', 'failed', 'cancelled')", name=op.f("ck_evaluation_status")
        ),
        sa.ForeignKeyConstraint(["created_by"], ["user.id"], name=op.f("fk_evaluation_created_by_user")),
        sa.ForeignKeyConstraint(
            ["experiment_id"],
            ["experiment.id"],
            name=op.f("fk_evaluation_experiment_id_experiment"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_evaluation_tenant_id_tenant")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evaluation")),
        sa.UniqueConstraint("experiment_id", "name", name=op.f("uq_evaluation_experiment_id_name")),
    )
    op.create_index("ix_evaluation_endpoint_id", "evaluation", ["endpoint_id"], unique=False)
    op.create_index("ix_evaluation_model_id", "evaluation", ["model_id"], unique=False)
    op.create_index(
        "ix_evaluation_tenant_id_created_at",
        "evaluation",
        ["tenant_id", sa.literal_column("created_at DESC"), sa.literal_column("id DESC")],
        unique=False,
    )
    op.create_table(
        "evaluation_run",
        sa.Column("experiment_id", sa.Uuid(), nullable=False),
        sa.Column("evaluation_id", sa.Uuid(), nullable=True),
        sa.Column("run_index", sa.Integer(), nullable=False),
        sa.Column("endpoint_id", sa.Uuid(), nullable=False),
        sa.Column("model_id", sa.Uuid(), nullable=False),
        sa.Column("dataset_version_id", sa.Uuid(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("config", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("raw_result", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "status in ('pending', 'running', 'completed', 'failed', 'cancelled', 'skipped', 'deleted')",
            name=op.f("ck_evaluation_run_status"),
        ),
        sa.ForeignKeyConstraint(
            ["dataset_version_id"],
            ["eval_dataset_version.id"],
            name=op.f("fk_evaluation_run_dataset_version_id_eval_dataset_version"),
        ),
        sa.ForeignKeyConstraint(
            ["evaluation_id"],
            ["evaluation.id"],
            name=op.f("fk_evaluation_run_evaluation_id_evaluation"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["experiment_id"],
            ["experiment.id"],
            name=op.f("fk_evaluation_run_experiment_id_experiment"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_evaluation_run_tenant_id_tenant")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evaluation_run")),
        sa.UniqueConstraint("experiment_id", "run_index", name=op.f("uq_evaluation_run_experiment_id_run_index")),
    )
    op.create_index(
        op.f("ix_evaluation_run_dataset_version_id"), "evaluation_run", ["dataset_version_id"], unique=False
    )
    op.create_index(
        "ix_evaluation_run_endpoint_id",
        "evaluation_run",
        ["endpoint_id"],
        unique=False,
        postgresql_where=sa.text("status = 'completed'"),
    )
    op.create_index(op.f("ix_evaluation_run_evaluation_id"), "evaluation_run", ["evaluation_id"], unique=False)
    op.create_table(
        "evaluation_metric",
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("metric_name", sa.String(), nullable=False),
        sa.Column("mode", sa.String(), nullable=False),
        sa.Column("metric_value", sa.Numeric(precision=6, scale=2), nullable=False),
        sa.Column("samples", sa.Integer(), nullable=True),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["evaluation_run.id"],
            name=op.f("fk_evaluation_metric_run_id_evaluation_run"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_evaluation_metric_tenant_id_tenant")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evaluation_metric")),
        sa.UniqueConstraint("run_id", "metric_name", "mode", name=op.f("uq_evaluation_metric_run_id_metric_name_mode")),
    )


def downgrade() -> None:
    op.drop_table("evaluation_metric")
    op.drop_table("evaluation_run")
    op.drop_table("evaluation")
    op.drop_table("experiment")
    op.drop_table("eval_tag")
    op.drop_table("eval_trait_dataset")
    op.drop_table("eval_dataset_version")
    op.drop_table("eval_trait")
    op.drop_table("eval_sync")
    op.drop_table("eval_dataset")
