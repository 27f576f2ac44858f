"""What the gateway's tables are worked out from: plain rows, as PostgreSQL has them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

SERVING = frozenset({"running", "unhealthy"})
"""The statuses of deployments that have entries of their own."""


@dataclass(frozen=True, slots=True)
class Price:
    input_cost: Decimal
    output_cost: Decimal
    currency: str
    per_tokens: int


@dataclass(frozen=True, slots=True)
class ProviderAccess:
    """A provider's credential: the fields that are no secrets, and the key as only the gateway can read it."""

    type: str
    settings: Mapping[str, str]
    gateway_key: str | None


@dataclass(frozen=True, slots=True)
class Moderation:
    """What looks at texts for a guardrail that is at work by itself: how each provider is called, and with which key.

    `reason` says why the gateway can't be told of it.
    """

    providers: Mapping[str, Mapping[str, Any]]
    key: str | None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Deployment:
    """A deployment, an adapter of one (`adapted`), or a router, with what its model and its credential say.

    A router is called like the first of its endpoints that serves, and falls back on the others; `routed` and
    `routed_models` are all endpoints and models that it may lead to. `of_platform`: of the platform's own tenant.
    `guardrail` is the profile that stands before it. With `moderation` it is a guardrail by itself, which has no model:
    its profile takes the place of one.
    """

    id: UUID
    tenant_id: UUID
    project_id: UUID
    model_id: UUID
    name: str
    status: str
    url: str
    namespace: str
    supported_endpoints: tuple[str, ...]
    settings: Mapping[str, Any] | None
    inference_cost: Mapping[str, Any] | None
    is_published: bool
    of_platform: bool
    in_cloud: bool
    source: str
    access: ProviderAccess | None = None
    price: Price | None = None
    adapted: UUID | None = None
    guardrail: UUID | None = None
    moderation: Moderation | None = None
    routed: frozenset[UUID] = frozenset()
    routed_models: frozenset[UUID] = frozenset()


@dataclass(frozen=True, slots=True)
class Key:
    """An API key.

    `may_call`: its owner may call deployments of the project now, and its budget is not used up. `used_up_models`: the
    budgets of these models are.
    """

    id: UUID
    tenant_id: UUID
    project_id: UUID
    user_id: UUID
    hashed_key: str
    expiry: datetime | None
    previous_hashed_key: str | None
    previous_expires_at: datetime | None
    opens_published: bool
    endpoint_ids: frozenset[UUID] | None
    model_ids: frozenset[UUID] | None
    used_up_models: frozenset[UUID]
    may_call: bool

    def opens_models(self, model_ids: Iterable[UUID]) -> bool:
        """Tell whether the key opens what leads to these models."""
        wanted = frozenset(model_ids)
        return (self.model_ids is None or self.model_ids >= wanted) and self.used_up_models.isdisjoint(wanted)


@dataclass(frozen=True, slots=True)
class Token:
    """A token that is no API key and opens the gateway for a while.

    `project_ids` are the projects, in a fixed order, in which its owner may call deployments now; `opens_published`:
    and what their tenant has published.
    """

    tenant_id: UUID
    user_id: UUID
    hashed_token: str
    expires_at: datetime
    project_ids: tuple[UUID, ...]
    opens_published: bool
    endpoint_ids: frozenset[UUID] | None


@dataclass(frozen=True, slots=True)
class PromptEntry:
    """A version of a prompt, or a draft of one (`drafted_by`), with the deployment that answers it.

    `called` is its name at the gateway and at budprompt; `id` names the entry that says how it is called.
    """

    id: str
    called: str
    version: int
    is_default: bool
    tenant_id: UUID
    project_id: UUID
    endpoint_id: UUID
    model_id: UUID
    version_id: UUID | None = None
    drafted_by: UUID | None = None
    expires_at: datetime | None = None
