"""How the floor makes answers of rows: by hand, with no more in them than the service says."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from budapp.provider_ops.modalities import describe_endpoints, describe_modality

Row = Mapping[str, Any]
Answer = Callable[[Sequence[Row]], dict[str, Any]]

_LIMIT = 10
_VIEW = ("id", "name", "description", "tags", "icon", "project_type", "created_by", "created_user")
_MOMENTS = ("created_at", "modified_at")
_COUNTS = ("users_count", "endpoints_count", "credentials_count", "profile_colors")
_USER = ("id", "name", "email", "color", "role", "status", "company", "purpose", "user_type", "custom_role")


def _some(row: Row, names: Sequence[str]) -> dict[str, Any]:
    return {name: row[name] for name in names}


def _page(rows: Sequence[Row], name: str, make: Callable[[Row], dict[str, Any]]) -> dict[str, Any]:
    total = rows[0]["_total"]
    envelope = {"page": 1, "limit": _LIMIT, "total_record": total, "total_pages": -(-total // _LIMIT)}
    return {**envelope, name: [make(row) for row in rows[:_LIMIT]]}


def me(rows: Sequence[Row]) -> dict[str, Any]:
    return {"object": "user.me", "user": _some(rows[0], _USER)}


def users(rows: Sequence[Row]) -> dict[str, Any]:
    return {"object": "users.list", **_page(rows, "users", lambda row: _some(row, _USER))}


def _summary(row: Row) -> dict[str, Any]:
    return {"project": _some(row, (*_VIEW, *_MOMENTS)), **_some(row, _COUNTS)}


def projects(rows: Sequence[Row]) -> dict[str, Any]:
    return {"object": "project.list", **_page(rows, "projects", _summary)}


def project(rows: Sequence[Row]) -> dict[str, Any]:
    return {"object": "project.retrieve", **_summary(rows[0])}


def created(rows: Sequence[Row]) -> dict[str, Any]:
    return {"object": "project.create", "project": _some(rows[0], (*_VIEW, *_MOMENTS))}


def workflows(rows: Sequence[Row]) -> dict[str, Any]:
    names = ("id", "title", "icon", "tag", "progress", "workflow_type", "total_steps", "status", "current_step")
    fields = (*names, "reason", *_MOMENTS)
    return {"object": "workflow.list", **_page(rows, "workflows", lambda row: _some(row, fields))}


_MODEL = ("id", "name", "description", "author", "icon", "uri", "source", "provider_type", "local_path", "model_size")
_MARKS = ("tags", "tasks", *_MOMENTS)


def _model(row: Row) -> dict[str, Any]:
    model = _some(row, (*_MODEL, *_MARKS)) | {"is_present_in_model": True, "model_cluster_recommended": None}
    model |= {"modality": describe_modality(row["modality"]), "provider": None}
    model["supported_endpoints"] = describe_endpoints(row["supported_endpoints"])
    return {"id": row["id"], "name": row["name"], "model": model, "endpoints_count": row["endpoints_count"]}


def models(rows: Sequence[Row]) -> dict[str, Any]:
    return {"object": "model.list", **_page(rows, "models", _model)}


def permissions(rows: Sequence[Row]) -> dict[str, Any]:
    """Return the projects' part; the caller's own modules take no row."""
    held = ("endpoint:manage", "endpoint:view", "project:manage", "project:view")
    entries = []
    for row in rows:
        rsid = str(row["id"])
        entries.append({"rsid": rsid, "rsname": f"URN::project::{rsid}", "scopes": ["view", "manage"]})
        entries += [{"rsid": rsid, "rsname": scope, "scopes": [scope.partition(":")[2]]} for scope in held]
    return {"object": "user.permissions", "permissions": entries}
