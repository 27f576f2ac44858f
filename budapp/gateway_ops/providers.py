"""How the gateway is told to call a model: one form for each provider that it knows."""

from collections.abc import Callable, Mapping
from typing import Any

from budapp.gateway_ops.rows import Deployment, ProviderAccess

Json = dict[str, Any]


class Inexpressible(Exception):
    """The gateway has no form for this deployment; the text says why."""


_BY_KEY = {
    "anthropic": "anthropic",
    "deepseek": "deepseek",
    "fireworks_ai": "fireworks",
    "gemini": "google_ai_studio_gemini",
    "mistral": "mistral",
    "codestral": "mistral",
    "openrouter": "openrouter",
    "together_ai": "together",
    "xai": "xai",
}
"""Providers of which the gateway wants the model's name and a key."""

_LIKE_OPENAI = {
    "openai": None,
    "text-completion-openai": None,
    "groq": "https://api.groq.com/openai/v1",
    "perplexity": "https://api.perplexity.ai",
    "nvidia_nim": "https://integrate.api.nvidia.com/v1",
    "cohere": "https://api.cohere.ai/compatibility/v1",
    "cohere_chat": "https://api.cohere.ai/compatibility/v1",
    "voyage": "https://api.voyageai.com/v1",
    "jina_ai": "https://api.jina.ai/v1",
    "cerebras": "https://api.cerebras.ai/v1",
    "sambanova": "https://api.sambanova.ai/v1",
    "deepinfra": "https://api.deepinfra.com/v1/openai",
    "databricks": "",
    "ollama": "",
}
"""Providers that speak OpenAI's API, and where; empty where the credential must say."""

_KEEPS_THOUGHTS = {"fireworks", "together"}


def form_of(deployment: Deployment) -> tuple[str, Json, bool]:
    """Return the provider's name in the entry, how it is called, and whether a key goes along.

    Raises:
        Inexpressible: the gateway has no form for it.
    """
    if not deployment.in_cloud:
        return "vllm", _local(deployment), False
    access = deployment.access
    if access is None or access.type != deployment.source:
        raise Inexpressible(f"it has no credential of {deployment.source}")
    build = _BUILDERS.get(deployment.source)
    if build is None and deployment.source.startswith("vertex_ai"):
        build = _vertex
    if build is None:
        raise Inexpressible(f"the gateway can't call models of {deployment.source}")
    form = build(deployment, access)
    return form["type"], form, form.get("api_key_location", "none") != "none"


def _local(deployment: Deployment) -> Json:
    if not deployment.url:
        raise Inexpressible("it has no address")
    base = f"{deployment.url.rstrip('/')}/v1"
    return {"type": "vllm", "model_name": deployment.namespace, "api_base": base, "api_key_location": "none"}


def _location(deployment: Deployment) -> str:
    return f"dynamic::store_{deployment.id}"


def _by_key(deployment: Deployment, access: ProviderAccess) -> Json:
    type = _BY_KEY[access.type]
    form: Json = {"type": type, "model_name": deployment.namespace, "api_key_location": _location(deployment)}
    return {**form, "parse_think_blocks": True} if type in _KEEPS_THOUGHTS else form


def _like_openai(deployment: Deployment, access: ProviderAccess) -> Json:
    base = access.settings.get("api_base") or _LIKE_OPENAI[access.type]
    if base == "":
        raise Inexpressible("its credential names no address")
    has_key = access.gateway_key is not None or access.type != "ollama"
    location = _location(deployment) if has_key else "none"
    form: Json = {"type": "openai", "model_name": deployment.namespace, "api_key_location": location}
    return {**form, "api_base": base} if base else form


def _azure(deployment: Deployment, access: ProviderAccess) -> Json:
    form = {"type": "azure", "deployment_id": deployment.namespace, "api_key_location": _location(deployment)}
    return {**form, "endpoint": _setting(access, "api_base")}


def _bedrock(deployment: Deployment, access: ProviderAccess) -> Json:
    region = _setting(access, "aws_region_name")
    form = {"type": "aws_bedrock", "model_id": deployment.namespace, "region": region}
    return {**form, "allow_auto_detect_region": False}


def _sagemaker(deployment: Deployment, access: ProviderAccess) -> Json:
    names = {"endpoint_name": deployment.namespace, "model_name": deployment.namespace}
    form = {"type": "aws_sagemaker", **names, "region": _setting(access, "aws_region_name")}
    return {**form, "allow_auto_detect_region": False, "hosted_provider": "openai"}


def _vertex(deployment: Deployment, access: ProviderAccess) -> Json:
    of_anthropic = "anthropic" in access.type or deployment.namespace.startswith("claude")
    return {
        "type": "gcp_vertex_anthropic" if of_anthropic else "gcp_vertex_gemini",
        "model_id": deployment.namespace,
        "location": _setting(access, "vertex_location"),
        "project_id": _setting(access, "vertex_project"),
        "credential_location": "sdk",
    }


def _setting(access: ProviderAccess, name: str) -> str:
    try:
        return access.settings[name]
    except KeyError:
        raise Inexpressible(f"its credential lacks {name}") from None


_BUILDERS: Mapping[str, Callable[[Deployment, ProviderAccess], Json]] = {
    **dict.fromkeys(_BY_KEY, _by_key),
    **dict.fromkeys(_LIKE_OPENAI, _like_openai),
    "azure": _azure,
    "bedrock": _bedrock,
    "sagemaker": _sagemaker,
}
