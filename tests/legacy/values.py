"""What the generated rows hold where any value would not do."""

from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from tests.legacy.old_secrets import FERNET, old_key, old_lookup_hash, rsa_hex

REALM = "legacy-platform"


def row_id(table: str, number: int) -> UUID:
    """Return the id of a row."""
    return uuid5(NAMESPACE_URL, f"{table}:{number}")


def _realm(number: int) -> str:
    return REALM if number == 0 else f"{REALM}-{number}"


REFERENCES = {
    "chat_sessions.user_id": "user",
    "chat_settings.user_id": "user",
    "notes.user_id": "user",
    "messages.deployment_id": "endpoint",
    "cluster.cloud_provider_id": "cloud_providers",
    "cluster.credential_id": "cloud_credentials",
    "evaluations.workflow_id": "workflow",
    "workflow_runs.workflow_id": "workflow",
    "workflow_steps.workflow_id": "workflow",
}
"""What columns refer to though no foreign key says so."""

VALUES: dict[str, Any] = {
    "tags": [{"name": "chat", "color": "#FFC442"}],
    "experiments.tags": ["quick"],
    "color": "#61A560",
    "tenant.realm_name": _realm,
    "tenant.is_active": True,
    "tenant_clients.client_secret": lambda number: (
        rsa_hex(f"client-secret-{number}") if number % 2 else f"plain-{number}"
    ),
    "user.email": lambda number: f"Person{number}@Example.com",
    "permission.scopes": "model:view,cluster:manage",
    "project_permission.scopes": "endpoint:view,endpoint:manage",
    "icon.category": "model",
    "cloud_providers.schema_definition": {"properties": {"access_key": {"type": "password"}}, "required": []},
    "cloud_credentials.encrypted_credential": lambda number: {
        "access_key": FERNET.encrypt(f"cloud-{number}".encode()).decode() if number % 2 else rsa_hex(f"cloud-{number}")
    },
    "proprietary_credential.type": "openai",
    "proprietary_credential.other_provider_creds": lambda number: {"api_key": rsa_hex(f"provider-{number}")},
    "credential.encrypted_key": lambda number: rsa_hex(old_key(number)),
    "credential.hashed_key": lambda number: old_lookup_hash(old_key(number)),
    "credential.model_budgets": {"00000000-0000-4000-8000-000000000000": 12.5},
    "credential.ip_whitelist": ["10.0.0.7", "2001:db8::1"],
    "endpoint.node_list": [],
    "cluster.cluster_type": "ON_PERM",
    "cluster_settings.default_access_mode": "RWX",
    "publication_history.action": "publish",
    "router_endpoint.fallback_endpoint_ids": lambda number: [str(row_id("endpoint", number))],
    "benchmark.dataset_ids": lambda number: [str(row_id("dataset", number))],
    "gateway_blocking_rule.project_id": None,
    "gateway_blocking_rule.endpoint_id": None,
    "gateway_blocking_rule.model_name": None,
    "gateway_blocking_rule.rule_config": {"ip_addresses": ["192.0.2.7"]},
    "workflow.workflow_type": lambda number: ("model_deployment", "cluster_onboarding", "add_adapter")[number % 3],
    "benchmark_request_metrics.itl": [0.01, 0.02],
    "experiments.tag_ids": lambda number: [row_id("eval_tags", number)],
    "eval_tags.name": lambda number: f"Tag {number}",
    "evaluations.trait_ids": lambda number: [str(row_id("exp_traits", number))],
    **{
        f"exp_datasets.{name}": ["english"]
        for name in (
            *("language", "domains", "concepts", "humans_vs_llm_qualifications", "task_type", "modalities"),
            *("why_run_this_eval", "what_to_expect", "metrics"),
        )
    },
    "billing_alerts.alert_type": "token_usage",
    "billing_plans.name": lambda number: ("Free", "Starter", "Gold", "Platinum")[number % 4],
    "user_billing.billing_period_start": datetime(2026, 1, 1, tzinfo=UTC),
    "user_billing.billing_period_end": datetime(2026, 2, 1, tzinfo=UTC),
    "tenant_oauth_configs.provider": "google",
    "tenant_oauth_configs.client_secret_encrypted": lambda number: rsa_hex(f"oauth-{number}"),
}
