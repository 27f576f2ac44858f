"""What the generated rows hold where any value would not do."""

from typing import Any

from tests.legacy.old_secrets import FERNET, rsa_hex, old_key, old_lookup_hash

REALM = "legacy-platform"


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
    "tenant_clients.client_secret": lambda number: (
        rsa_hex(f"client-secret-{number}") if number % 2 else f"plain-{number}"
    ),
    "user.email": lambda number: f"Person{number}@Example.com",
    "permission.scopes": "model:view,cluster:manage",
    "project_permission.scopes": "endpoint:view,endpoint:manage",
    "tenant_oauth_configs.provider": "google",
    "tenant_oauth_configs.client_secret_encrypted": lambda number: rsa_hex(f"oauth-{number}"),
}
