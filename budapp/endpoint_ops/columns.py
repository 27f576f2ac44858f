"""Columns of endpoints, and of what stands beside them; a name `model__icon` becomes `icon` of `model`."""

from collections.abc import Iterable, Mapping
from typing import Any

from budapp.cluster_ops.models import Cluster
from budapp.endpoint_ops.models import Endpoint
from budapp.model_ops.models import Model
from budapp.project_ops.models import Project
from budapp.provider_ops.models import Provider

_ENDPOINT = (
    *("id", "name", "status", "project_id", "url", "is_deprecated", "supported_endpoints", "is_published"),
    *("published_date", "published_by", "created_at", "modified_at"),
)
_MODEL = (
    *("id", "name", "description", "author", "icon", "uri", "source", "provider_type", "local_path", "model_size"),
    *("tags", "tasks", "modality", "supported_endpoints", "created_at", "modified_at"),
)
_PROVIDER = ("id", "name", "description", "type", "icon", "capabilities")
_CLUSTER = (
    *("id", "name", "icon", "ingress_url", "cluster_type", "status", "cluster_id", "total_nodes", "available_nodes"),
    *(f"{kind}_{of}" for kind in ("cpu", "gpu", "hpu") for of in ("count", "total_workers", "available_workers")),
    *("created_at", "modified_at"),
)
_RENAMED = ("project_name", "model_name", "total_workers", "active_workers")
_BESIDE = (("model", Model, _MODEL), ("model__provider", Provider, _PROVIDER), ("cluster", Cluster, _CLUSTER))


_SORTS = ("id", "name", "status", "created_at", "modified_at", "published_date", "is_published")
SORTABLE = {
    **{name: getattr(Endpoint, name) for name in _SORTS},
    "project_name": Project.name,
    "model_name": Model.name,
    "total_workers": Endpoint.total_replicas,
    "active_workers": Endpoint.active_replicas,
}


def endpoint_columns() -> list[Any]:
    """Return the columns of an endpoint, of its model, the model's provider, and the cluster."""
    own = [*(getattr(Endpoint, name) for name in _ENDPOINT), *(SORTABLE[name].label(name) for name in _RENAMED)]
    return own + [getattr(table, name).label(f"{prefix}__{name}") for prefix, table, names in _BESIDE for name in names]


def nested(row: Mapping[str, Any], optional: Iterable[str] = ("model", "cluster")) -> dict[str, Any]:
    """Return a row's values with those beside it as mappings; None for one that is not there."""
    found: dict[str, Any] = {}
    for name, value in row.items():
        *path, last = name.split("__")
        inner = found
        for part in path:
            inner = inner.setdefault(part, {})
        inner[last] = value
    for name in optional:
        if name in found and found[name]["id"] is None:
            found[name] = None
    model = found.get("model")
    if model is not None:
        provider = model["provider"] = model["provider"] if model["provider"]["id"] else None
        model["icon"] = model["icon"] or (provider["icon"] if provider else None)
        model["is_present_in_model"] = True
    return found
