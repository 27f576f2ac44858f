"""Models, clusters, and what runs there."""

from typing import Any
from uuid import UUID

from budapp.adapter_ops.models import Adapter
from budapp.blocking_rule_ops.models import BlockingRule
from budapp.cluster_ops.models import Cluster
from budapp.cluster_setting_ops.models import ClusterSettings
from budapp.endpoint_ops.models import Endpoint
from budapp.legacy_ops.declarations import NEWEST, OLDEST, Left, Move, Old, Ref, Value, marks, of, renamed
from budapp.model_ops.models import License, Model, Paper, SecurityScan
from budapp.pricing_ops.models import DeploymentPricing
from budapp.publication_ops.models import PublicationHistory
from budapp.recommendation_ops.models import RecommendedCluster
from budapp.router_ops.models import Router, RouterEndpoint

_ACCESS_MODES = {
    "RWO": "ReadWriteOnce",
    "RWX": "ReadWriteMany",
    "ROX": "ReadOnlyMany",
    "RWOP": "ReadWriteOncePod",
}

_PROJECT = Ref("project", ("created_by",))
_MODEL = Ref("model")
_USER = Ref("user")


def _state(name: str, published_by: str) -> Value:
    """Return a state of a publication; what it does not say follows from the action."""

    def value(old: Old) -> dict[str, Any]:
        found = old[name] if isinstance(old[name], dict) else {}
        published = found.get("is_published")
        return {**found, "is_published": published if isinstance(published, bool) else old["action"] == published_by}

    return value


def _fallbacks(old: Old) -> list[UUID]:
    own = old.ref("endpoint_id") or {}
    return [row["id"] for row in old.rows_of("fallback_endpoint_ids") if row["id"] != own.get("id")]


def _refuse_narrow_rule(old: Old) -> None:
    if old["project_id"] is not None or old["endpoint_id"] is not None or old["model_name"] is not None:
        raise Left("blocking rules are for all requests here; this one was for a project, endpoint or model")


def _max_input_tokens(old: Old) -> Any:
    return old["token_limit"] if old["max_input_tokens"] is None else old["max_input_tokens"]


MOVES = (
    Move(
        "model",
        Model,
        order=OLDEST,
        refs={"created_by": _USER, "provider_id": Ref("provider", optional=True)},
        tenant="created_by",
        columns={"max_input_tokens": _max_input_tokens, "tags": marks("tags"), "tasks": marks("tasks")},
    ),
    Move("model_licenses", License, order=NEWEST, refs={"model_id": _MODEL}, tenant="model_id"),
    Move("paper_published", Paper, refs={"model_id": _MODEL}, tenant="model_id"),
    Move("model_security_scan_result", SecurityScan, order=NEWEST, refs={"model_id": _MODEL}, tenant="model_id"),
    Move(
        "cluster",
        Cluster,
        order=OLDEST,
        refs={
            "created_by": _USER,
            "cloud_provider_id": Ref("cloud_providers", optional=True),
            "credential_id": Ref("cloud_credentials", optional=True),
        },
        tenant="created_by",
        columns={"cluster_type": renamed("cluster_type", {"ON_PERM": "ON_PREM"})},
    ),
    Move(
        "cluster_settings",
        ClusterSettings,
        order=OLDEST,
        refs={"cluster_id": Ref("cluster"), "created_by": _USER},
        tenant="cluster_id",
        columns={"default_access_mode": renamed("default_access_mode", _ACCESS_MODES)},
    ),
    Move(
        "model_cluster_recommended",
        RecommendedCluster,
        refs={"model_id": _MODEL, "cluster_id": Ref("cluster")},
        tenant="model_id",
    ),
    Move(
        "endpoint",
        Endpoint,
        order=OLDEST,
        refs={
            "project_id": _PROJECT,
            "model_id": _MODEL,
            "cluster_id": Ref("cluster", optional=True),
            "credential_id": Ref("proprietary_credential", optional=True),
            "created_by": _USER,
            "published_by": Ref("user", optional=True),
        },
        tenant="project_id",
    ),
    Move(
        "adapter",
        Adapter,
        order=OLDEST,
        refs={"endpoint_id": Ref("endpoint"), "model_id": _MODEL, "created_by": _USER},
        tenant="endpoint_id",
    ),
    Move(
        "deployment_pricing",
        DeploymentPricing,
        refs={"endpoint_id": Ref("endpoint"), "created_by": _USER},
        tenant="endpoint_id",
    ),
    Move(
        "publication_history",
        PublicationHistory,
        refs={"deployment_id": Ref("endpoint"), "performed_by": _USER},
        tenant="deployment_id",
        columns={"previous_state": _state("previous_state", "unpublish"), "new_state": _state("new_state", "publish")},
    ),
    Move(
        "router",
        Router,
        order=OLDEST,
        refs={"project_id": _PROJECT},
        tenant="project_id",
        columns={"created_by": of("project_id", "created_by"), "tags": marks("tags")},
    ),
    Move(
        "router_endpoint",
        RouterEndpoint,
        order=OLDEST,
        refs={
            "router_id": Ref("router"),
            "endpoint_id": Ref("endpoint"),
            "fallback_endpoint_ids": Ref("endpoint", many=True),
        },
        tenant="router_id",
        extra={
            "position": "(select count(*) from public.router_endpoint o where o.router_id = t.router_id"
            " and (o.created_at, o.id) < (t.created_at, t.id))"
        },
        columns={"fallback_endpoint_ids": _fallbacks},
    ),
    Move(
        "gateway_blocking_rule",
        BlockingRule,
        order=OLDEST,
        refs={"created_by": _USER},
        tenant="created_by",
        check=_refuse_narrow_rule,
    ),
)
