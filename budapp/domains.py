"""Every domain of the service, in layers from the lower to the upper.

A domain may use those of the layers below it; `|` parts domains of one layer, which do not know each other. The layers
contract, the routes, tables, workflows, jobs, hooks, seeds and commands all follow from this list.
"""

from importlib import import_module

from budapp import core
from budapp.commons.domain import Domain

LAYERS = (
    "events",
    "gateway_changes",
    "audit",
    "tenant_ops",
    "oauth_ops",
    "user_ops",
    "billing_ops | role_ops | session_ops",
    "asset_ops | template_ops",
    "audit_ops | project_ops | workflow_ops",
    "live_ops | notification_ops",
    "cloud_provider_ops | provider_ops",
    "provider_credential_ops",
    "api_key_ops | cluster_ops | dataset_ops | model_ops",
    "cluster_metric_ops | cluster_setting_ops",
    "endpoint_ops | evaluation_ops | quantization_ops | recommendation_ops",
    "deployment_ops",
    "adapter_ops | prompt_ops | worker_ops",
    "cluster_endpoint_ops | guardrail_ops | pricing_ops | router_ops",
    "deployment_setting_ops | gateway_ops | publication_ops",
    "benchmark_ops | blocking_rule_ops | catalog_ops | experiment_ops | metric_ops | service_account_ops",
    "permission_ops | pipeline_ops | platform_ops | webhook_ops",
    "auth",
    "connector_ops | playground_ops | status_ops",
    "legacy_ops",
)

NAMES = tuple(name for layer in LAYERS for name in layer.split(" | "))


def _load(name: str) -> Domain:
    found = import_module(f"budapp.{name}.domain").domain
    if not isinstance(found, Domain):
        raise TypeError(f"budapp.{name}.domain.domain is not a Domain")
    return found


DOMAINS = (core.domain, *(_load(name) for name in NAMES))

TABLES = tuple(table for domain in DOMAINS for table in domain.tables)
"""The modules with the tables; with this module imported, the metadata knows them all."""
