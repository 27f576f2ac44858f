"""indexes say in one way that a row is not deleted

Revision ID: 0024
Revises: 0023
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

revision: str = "0024"
down_revision: str | None = "0023"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_NEWEST_FIRST = [sa.text("created_at DESC"), sa.text("id DESC")]
_AMONG: dict[str, Any] = {
    "postgresql_using": "gin",
    "postgresql_ops": {"tags": "jsonb_path_ops", "tasks": "jsonb_path_ops"},
}
_INDEXES: list[tuple[str, str, list[Any], dict[str, Any]]] = [
    ("uq_dataset_project_id_name", "dataset", ["project_id", sa.text("lower(name)")], {"unique": True}),
    ("uq_model_name", "model", ["tenant_id", sa.text("lower(name)")], {"unique": True}),
    ("uq_model_source_uri", "model", ["tenant_id", "source", sa.text("lower(uri)")], {"unique": True}),
    ("ix_model_created_at", "model", ["tenant_id", *_NEWEST_FIRST], {"postgresql_include": ["name", "provider_id"]}),
    ("ix_model_author", "model", ["tenant_id", "author"], {}),
    ("ix_model_tags", "model", ["tags"], _AMONG),
    ("ix_model_tasks", "model", ["tasks"], _AMONG),
    ("ix_model_base_model", "model", ["base_model"], {"postgresql_using": "gin"}),
    ("ix_cloud_model_created_at", "cloud_model", _NEWEST_FIRST, {"postgresql_include": ["name", "provider_id"]}),
    ("ix_cloud_model_tags", "cloud_model", ["tags"], _AMONG),
]


def _make_again(condition: str) -> None:
    for name, table, columns, options in _INDEXES:
        op.drop_index(op.f(name), table_name=table)
        op.create_index(op.f(name), table, columns, postgresql_where=sa.text(condition), **options)


def upgrade() -> None:
    _make_again("status <> 'deleted'")


def downgrade() -> None:
    _make_again("status = 'active'")
