"""The gateway's side of its tables: what its parser accepts, with everything else refused, as it refuses it."""

import json
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, model_validator

from budapp.commons.scopes import UserType

Endpoint = Literal[
    "chat",
    "embedding",
    "moderation",
    "audio_transcription",
    "audio_translation",
    "text_to_speech",
    "realtime_session",
    "realtime_transcription",
    "responses",
    "batch",
    "image_generation",
    "image_edit",
    "image_variation",
    "document",
    "completions",
    "classify",
]
Location = Annotated[str, Field(pattern=r"^(env::\w+|path_from_env::\w+|dynamic::\S+|path::\S+|sdk|none)$")]
Hex = Annotated[str, Field(pattern=r"^([0-9a-f]{2})+$")]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, protected_namespaces=())


class Provider(Strict):
    extra_body: Any = None
    extra_headers: Any = None


class Keyed(Provider):
    model_name: str
    api_key_location: Location


class ByKey(Keyed):
    type: Literal["anthropic", "deepseek", "google_ai_studio_gemini", "hyperbolic", "mistral", "xai"]


class Thinking(Keyed):
    type: Literal["fireworks", "together"]
    parse_think_blocks: bool


class MaybeElsewhere(Keyed):
    type: Literal["openai", "openrouter"]
    api_base: str | None = None


class Served(Keyed):
    type: Literal["vllm", "sglang", "buddoc", "budprompt"]
    api_base: str


class Tgi(Provider):
    type: Literal["tgi"]
    api_base: str
    api_key_location: Location


class Azure(Provider):
    type: Literal["azure"]
    deployment_id: str
    endpoint: str
    api_key_location: Location


class Bedrock(Provider):
    type: Literal["aws_bedrock"]
    model_id: str
    region: str
    allow_auto_detect_region: bool


class Sagemaker(Provider):
    type: Literal["aws_sagemaker"]
    endpoint_name: str
    model_name: str
    region: str
    allow_auto_detect_region: bool
    hosted_provider: Literal["openai", "tgi"]


class Vertex(Provider):
    type: Literal["gcp_vertex_anthropic", "gcp_vertex_gemini"]
    model_id: str
    location: str
    project_id: str
    credential_location: Location


class ContentSafety(Provider):
    type: Literal["azure_content_safety"]
    endpoint: str
    api_key_location: Location


class Sentinel(Provider):
    type: Literal["bud_sentinel"]
    endpoint: str
    api_key_location: Location
    profile_id: str
    severity_threshold: float = Field(ge=0, le=1)


AnyProvider = Annotated[
    ByKey | Thinking | MaybeElsewhere | Served | Tgi | Azure | Bedrock | Sagemaker | Vertex | ContentSafety | Sentinel,
    Field(discriminator="type"),
]


class Pricing(Strict):
    input_cost: float
    output_cost: float
    currency: str
    per_tokens: int


class InferenceCost(Pricing):
    per_tokens: Literal[1]


class Retries(Strict):
    num_retries: int = Field(ge=0)
    max_delay_s: float


class RateLimits(Strict):
    algorithm: Literal["fixed_window", "sliding_window", "token_bucket"]
    requests_per_second: int | None = None
    requests_per_minute: int | None = None
    requests_per_hour: int | None = None
    burst_size: int | None = None
    enabled: bool
    cache_ttl_ms: int
    local_allowance: float
    sync_interval_ms: int


class ModelConfig(Strict):
    routing: list[str] = Field(min_length=1)
    providers: dict[str, AnyProvider]
    endpoints: list[Endpoint] = Field(min_length=1)
    api_key: Hex | None = None
    fallback_models: list[str] | None = None
    retry_config: Retries | None = None
    rate_limits: RateLimits | None = None
    pricing: Pricing | None = None
    inference_cost: InferenceCost | None = None
    guardrail_profile: str | None = None

    @model_validator(mode="after")
    def _routes_exist(self) -> "ModelConfig":
        assert set(self.routing) <= set(self.providers)
        stores = [one for one in self.providers.values() if "::store_" in getattr(one, "api_key_location", "")]
        assert bool(stores) == (self.api_key is not None)
        return self


class Reference(Strict):
    endpoint_id: UUID
    model_id: UUID
    project_id: UUID
    prompt_id: str | None = None
    prompt_version_id: UUID | None = None
    version: int | None = None
    is_default: bool | None = None


class DraftReference(Strict):
    prompt_id: str
    user_id: UUID
    endpoint_id: UUID | None = None
    model_id: UUID | None = None
    project_id: UUID | None = None
    version: int | None = None


class AuthMetadata(Strict):
    api_key_id: UUID | None
    user_id: UUID
    api_key_project_id: UUID | None = None


_REFERENCES = TypeAdapter(dict[str, Reference])


def read_key(text: Any) -> tuple[dict[str, Reference], AuthMetadata]:
    """Return what a key opens, and whose it is."""
    value = json.loads(text)
    metadata = AuthMetadata.model_validate_json(json.dumps(value.pop("__metadata__")))
    return _REFERENCES.validate_json(json.dumps(value)), metadata


def read_model(name: str, text: Any) -> ModelConfig:
    """Return how a deployment is called; the entry names just the one that its place names."""
    [(endpoint_id, config)] = TypeAdapter(dict[str, ModelConfig]).validate_json(text).items()
    assert name == f"model_table:{endpoint_id}"
    return config


class GuardProvider(Strict):
    """A provider that looks at texts, with at least one probe; each probe with the rules that count."""

    type: Literal["azure_content_safety", "openai", "bud_sentinel"]
    probe_config: dict[str, list[str]] = Field(min_length=1)
    api_key_location: Location
    endpoint: str | None = None
    region: str | None = None


JsonText = Annotated[str, Field(pattern=r"^[\[{].*[\]}]$")]


class CustomRule(Strict):
    id: str
    scanner: Literal["classifier", "llm", "pattern", "static_classifier"]
    scanner_config_json: JsonText
    post_processing_json: JsonText | None = None


class GuardrailConfig(Strict):
    name: str
    providers: dict[str, GuardProvider] = Field(min_length=1)
    severity_threshold: float = Field(ge=0, le=1)
    guard_types: list[Literal["input", "output"]] = Field(min_length=1)
    api_key: Hex | None = None
    execution_mode: Literal["parallel", "sequential"] | None = None
    failure_mode: Literal["fail_fast", "best_effort"] | None = None
    custom_rules: list[CustomRule] | None = None
    metadata_json: JsonText | None = None
    rule_overrides_json: JsonText | None = None

    @model_validator(mode="after")
    def _keys_are_found(self) -> "GuardrailConfig":
        assert all(name == one.type for name, one in self.providers.items()), "the gateway looks providers up by type"
        stores = [one for one in self.providers.values() if "::store_" in one.api_key_location]
        assert bool(stores) == (self.api_key is not None)
        return self


def read_guardrail(name: str, text: Any) -> GuardrailConfig:
    """Return what a profile looks for; the entry names just the one that its place names."""
    [(profile_id, config)] = TypeAdapter(dict[str, GuardrailConfig]).validate_json(text).items()
    assert name == f"guardrail_table:{profile_id}"
    return config


def read_published(text: Any) -> dict[str, Reference]:
    """Return what customers may call."""
    return _REFERENCES.validate_json(text)


class Limit(BaseModel):
    """The entry as the gateway reads it."""

    model_config = ConfigDict(extra="forbid")

    user_id: UUID
    user_type: UserType
    allowed: bool
    status: Literal[
        "allowed", "admin_unlimited", "no_billing_plan", "suspended", "token_limit_exceeded", "cost_limit_exceeded"
    ]
    tokens_quota: int | None
    tokens_used: int
    cost_quota: float | None
    cost_used: float
    prev_tokens_used: int
    prev_cost_used: float
    reason: str | None
    reset_at: AwareDatetime | None
    last_updated: AwareDatetime
    billing_cycle_start: AwareDatetime | None
    billing_cycle_end: AwareDatetime | None
    plan_name: str | None
    update_id: int


def read_any(name: str, text: Any) -> None:
    """Read an entry of any table, or fail."""
    if name.startswith("api_key:"):
        read_key(text)
    elif name.startswith("model_table:"):
        read_model(name, text)
    elif name.startswith("guardrail_table:"):
        read_guardrail(name, text)
    elif name.startswith("draft_prompt:"):
        assert name.startswith(f"draft_prompt:{DraftReference.model_validate_json(text).user_id}:")
    elif name.startswith("usage_limit:"):
        assert name == f"usage_limit:{Limit.model_validate_json(text).user_id}"
    else:
        assert name == "published_model_info"
        read_published(text)
