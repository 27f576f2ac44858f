"""Columns of endpoints, and of what stands beside them.

Model and cluster are one value each, worked out for the rows of a page alone: a join would burden the sorting and the
count of all rows too.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, ScalarSelect, and_, func, literal_column, select
from sqlalchemy.dialects.postgresql import JSONB

from budapp.cluster_ops.models import Cluster
from budapp.endpoint_ops.models import Endpoint
from budapp.model_ops.models import Model
from budapp.project_ops.models import Project
from budapp.provider_ops.models import Provider

_ENDPOINT = (
    *("id", "name", "status", "reason", "project_id", "url", "is_deprecated", "supported_endpoints", "is_published"),
    *("published_date", "published_by", "created_at", "modified_at"),
)
_MODEL = (
    *("id", "name", "description", "author", "icon", "uri", "source", "provider_type", "model_size"),
    *("tags", "tasks", "modality", "supported_endpoints", "created_at", "modified_at"),
)
_PROVIDER = ("id", "name", "description", "type", "icon", "capabilities")
_CLUSTER = (
    *("id", "name", "icon", "ingress_url", "cluster_type", "status", "cluster_id", "total_nodes", "available_nodes"),
    *(f"{kind}_{of}" for kind in ("cpu", "gpu", "hpu") for of in ("count", "total_workers", "available_workers")),
    *("created_at", "modified_at"),
)
_OF_ENDPOINT = and_(Model.id == Endpoint.model_id, Model.tenant_id == Endpoint.tenant_id)
_SORTS = ("id", "name", "status", "created_at", "modified_at", "published_date", "is_published")
SORTABLE: dict[str, Any] = {
    **{name: getattr(Endpoint, name) for name in _SORTS},
    "project_name": select(Project.name).where(Project.id == Endpoint.project_id).correlate(Endpoint).scalar_subquery(),
    "model_name": select(Model.name).where(_OF_ENDPOINT).correlate(Endpoint).scalar_subquery(),
    "total_workers": Endpoint.total_replicas,
    "active_workers": Endpoint.active_replicas,
}


def endpoint_columns() -> list[Any]:
    """Return the columns of an endpoint, with its `model`, that model's `provider` in it, and its `cluster`."""
    renamed = ("project_name", "model_name", "total_workers", "active_workers")
    provider = _object(Provider, _PROVIDER, Provider.id == Model.provider_id, Model)
    model = _object(Model, _MODEL, _OF_ENDPOINT, Endpoint, provider=provider)
    cluster = _object(Cluster, _CLUSTER, Cluster.id == Endpoint.cluster_id, Endpoint)
    own = [*(getattr(Endpoint, name) for name in _ENDPOINT), *(SORTABLE[name].label(name) for name in renamed)]
    return [*own, model.label("model"), cluster.label("cluster")]


def _object(
    table: Any, names: Sequence[str], condition: ColumnElement[bool], outside: Any, **more: ColumnElement[Any]
) -> ScalarSelect[Any]:
    """Return the row of the table as one value; None where there is none."""
    columns = {name: getattr(table, name) for name in names} | more
    fields: list[ColumnElement[Any]] = []
    for name, column in columns.items():
        fields += [literal_column(f"'{name}'"), column]
    found = select(func.jsonb_build_object(*fields, type_=JSONB))
    return found.where(condition).correlate(outside).scalar_subquery()


def shown(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row of `endpoint_columns` with what views want of its model."""
    model = row["model"]
    if model is not None:
        icon = model["icon"] or (model["provider"] or {}).get("icon")
        model = {**model, "icon": icon, "is_present_in_model": True}
    return {**row, "model": model}
