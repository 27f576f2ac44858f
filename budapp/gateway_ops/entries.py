"""The gateway's tables, worked out from rows: one pure function for each, and nothing else writes entries.

The gateway refuses a whole entry for one field or value that it does not know, so only what it knows is put in.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from budapp.billing_ops.schemas import UsageLimit
from budapp.gateway_ops.guardrails import Guardrail, guardrail, value_of
from budapp.gateway_ops.guardrails import reason_against as reason_against_guardrail
from budapp.gateway_ops.prompts import CallablePrompts, draft_texts, model_of
from budapp.gateway_ops.providers import Inexpressible, Json, form_of
from budapp.gateway_ops.rows import SERVING, Deployment, Key, PromptEntry, Token

PUBLISHED = "published_model_info"
METADATA = "__metadata__"

_RUNNING = "running"
_CAPABILITIES = {
    "/v1/chat/completions": "chat",
    "/v1/completions": "completions",
    "/v1/images/generations": "image_generation",
    "/v1/audio/transcriptions": "audio_transcription",
    "/v1/audio/speech": "text_to_speech",
    "/v1/embeddings": "embedding",
    "/v1/classify": "classify",
    "/v1/batch": "batch",
    "/v1/responses": "responses",
    "/v1/moderations": "moderation",
    "/v1/documents": "document",
    "/v1/audio/translations": "audio_translation",
    "/v1/images/edits": "image_edit",
    "/v1/images/variations": "image_variation",
}
"""What the gateway serves; it has no name for `/v1/rerank`."""
_ALGORITHMS = {"fixed_window", "sliding_window", "token_bucket"}
_RATES = ("requests_per_second", "requests_per_minute", "requests_per_hour", "burst_size")
_RATE_DEFAULTS = {"cache_ttl_ms": 200, "local_allowance": 0.8, "sync_interval_ms": 100}


@dataclass(frozen=True, slots=True)
class Entry:
    """A value in Valkey, and when it ends."""

    value: str
    expires_at: datetime | None = None


Entries = dict[str, Entry]


def api_key(hashed_key: str) -> str:
    """Return where the entry of a key lies."""
    return f"api_key:{hashed_key}"


def usage_limit(user_id: object) -> str:
    """Return where the entry says whether somebody may go on."""
    return f"usage_limit:{user_id}"


def model(endpoint_id: object) -> str:
    """Return where the entry of a deployment lies."""
    return f"model_table:{endpoint_id}"


class _Openable:
    """The deployments that keys and tokens can open: those that run, and that the gateway can call."""

    def __init__(self, deployments: Iterable[Deployment]) -> None:
        self._by_project: dict[UUID, list[Deployment]] = {}
        self._published: dict[UUID, list[Deployment]] = {}
        self.running: list[Deployment] = []
        for deployment in deployments:
            if deployment.status == _RUNNING and reason_against(deployment) is None:
                self.running.append(deployment)
                self._by_project.setdefault(deployment.project_id, []).append(deployment)
                if deployment.is_published:
                    self._published.setdefault(deployment.tenant_id, []).append(deployment)

    def of(self, one: Key | Token, project_ids: Iterable[UUID]) -> Iterator[Deployment]:
        """Yield those of the projects, and before them what is published where that is open too."""
        if one.opens_published:
            yield from self._published.get(one.tenant_id, ())
        for project_id in project_ids:
            yield from self._by_project.get(project_id, ())


def api_key_entries(
    keys: Iterable[Key], deployments: Collection[Deployment], at: datetime, prompts: Iterable[PromptEntry] = ()
) -> Entries:
    """Return what each key opens; a key that is over, or whose owner may call nothing, has no entry."""
    openable = _Openable(deployments)
    answered = CallablePrompts(prompts, openable.running)
    entries: Entries = {}
    for key in keys:
        if not key.may_call:
            continue
        opened = (one for one in openable.of(key, [key.project_id]) if _opens(key, one))
        models = {one.name: _reference(one) for one in opened}
        value = _text({**models, **answered.of_key(key), METADATA: _metadata(key)})
        for hashed, ends in _secrets(key):
            if ends is None or ends > at:
                entries[api_key(hashed)] = Entry(value, ends)
    return entries


def token_entries(
    tokens: Iterable[Token], deployments: Collection[Deployment], at: datetime, prompts: Iterable[PromptEntry] = ()
) -> Entries:
    """Return what each token opens; one that is over, or whose owner may call nothing, has no entry."""
    openable = _Openable(deployments)
    answered = CallablePrompts(prompts, openable.running)
    return {
        api_key(token.hashed_token): Entry(_token(token, openable, answered), token.expires_at)
        for token in tokens
        if token.expires_at > at and (token.project_ids or token.opens_published)
    }


def prompt_entries(prompts: Iterable[PromptEntry], address: str | None) -> Entries:
    """Return how each prompt is called, and of drafts whose they are; nothing where budprompt has no address."""
    found: Entries = {}
    for prompt in prompts if address else ():
        found[model(prompt.id)] = Entry(_text(model_of(prompt, address or "")), prompt.expires_at)
        if prompt.drafted_by is not None:
            found |= {name: Entry(_text(value), prompt.expires_at) for name, value in draft_texts(prompt)}
    return found


def _token(token: Token, openable: _Openable, answered: CallablePrompts) -> str:
    wanted = token.endpoint_ids
    opened = (one for one in openable.of(token, token.project_ids) if wanted is None or _is_within(one, wanted))
    metadata: Json = {"api_key_id": None, "user_id": str(token.user_id)}
    if token.project_ids:
        metadata["api_key_project_id"] = str(token.project_ids[0])
    models = {one.name: _reference(one) for one in opened}
    return _text({**models, **answered.of_token(token), METADATA: metadata})


def model_entries(deployments: Collection[Deployment], known: Collection[UUID], document_url: str | None) -> Entries:
    """Return how each deployment is called; one that can't be, as `reason_against` says, has no entry.

    Args:
        deployments: whose entries are wanted.
        known: the deployments that have entries, which others may fall back on.
        document_url: where documents are read, if anywhere.
    """
    return {
        model(one.id): Entry(_text({str(one.id): _model(one, known, document_url)}))
        for one in deployments
        if one.status in SERVING and reason_against(one) is None
    }


def guardrail_entries(guardrails: Iterable[Guardrail], sentinel_url: str | None) -> Entries:
    """Return what each profile has looked for; one that the gateway can't be told of has no entry."""
    return {
        guardrail(one.id): Entry(_text(value_of(one, sentinel_url)))
        for one in guardrails
        if reason_against_guardrail(one) is None
    }


def published_entry(deployments: Iterable[Deployment]) -> Entries:
    """Return what the platform's customers may call: the published deployments of the platform's own tenant."""
    found = {
        one.name: _reference(one)
        for one in deployments
        if one.of_platform and one.is_published and one.status == _RUNNING and reason_against(one) is None
    }
    return {PUBLISHED: Entry(_text(found))}


def usage_limit_entries(limits: Iterable[UsageLimit], ends: datetime) -> Entries:
    """Return whether users may go on; the entries end by themselves where nobody renews them."""
    return {
        usage_limit(limit.user_id): Entry(_text({**limit.model_dump(mode="json"), "update_id": 0}), ends)
        for limit in limits
    }


def reason_against(deployment: Deployment) -> str | None:
    """Return why the gateway can't be told of the deployment; None where it can."""
    if deployment.moderation is not None and deployment.moderation.reason is not None:
        return deployment.moderation.reason
    try:
        takes_key = deployment.moderation is None and form_of(deployment)[2]
    except Inexpressible as error:
        return str(error)
    if takes_key and (deployment.access is None or deployment.access.gateway_key is None):
        return "its credential holds no key that the gateway can read; is GATEWAY_PUBLIC_KEY set?"
    if not _capabilities(deployment):
        return "the gateway serves none of its endpoints"
    if deployment.name == METADATA or deployment.name.startswith("prompt:"):
        return "the gateway takes its name for something else"
    return None


def is_served(deployment: Deployment) -> bool:
    """Tell whether the deployment has an entry."""
    return deployment.status in SERVING and reason_against(deployment) is None


def _opens(key: Key, deployment: Deployment) -> bool:
    models = deployment.routed_models or {deployment.model_id}
    in_endpoints = key.endpoint_ids is None or _is_within(deployment, key.endpoint_ids)
    return in_endpoints and key.opens_models(models)


def _is_within(deployment: Deployment, endpoint_ids: frozenset[UUID]) -> bool:
    """Tell whether the endpoints are all that calling the deployment may lead to."""
    if deployment.routed:
        return deployment.routed <= endpoint_ids
    return not endpoint_ids.isdisjoint({deployment.id, deployment.adapted})


def _secrets(key: Key) -> Iterable[tuple[str, datetime | None]]:
    yield key.hashed_key, key.expiry
    if key.previous_hashed_key is not None and key.previous_expires_at is not None:
        yield key.previous_hashed_key, key.previous_expires_at


def _reference(deployment: Deployment) -> Json:
    return {
        "endpoint_id": str(deployment.id),
        "model_id": str(deployment.model_id),
        "project_id": str(deployment.project_id),
    }


def _metadata(key: Key) -> Json:
    return {"api_key_id": str(key.id), "user_id": str(key.user_id), "api_key_project_id": str(key.project_id)}


def _capabilities(deployment: Deployment) -> list[str]:
    found = (_CAPABILITIES.get(path) for path in deployment.supported_endpoints)
    return list(dict.fromkeys(name for name in found if name is not None))


def _model(deployment: Deployment, known: Collection[UUID], document_url: str | None) -> Json:
    capabilities = _capabilities(deployment)
    providers, key = _providers(deployment)
    if "document" in capabilities and document_url and not deployment.in_cloud:
        providers["buddoc"] = _document_reader(deployment, document_url)
    entry: Json = {"routing": list(providers), "providers": providers, "endpoints": capabilities}
    settings = deployment.settings or {}
    optional = {
        "api_key": key,
        "pricing": _pricing(deployment),
        "inference_cost": _inference_cost(deployment.inference_cost),
        "fallback_models": _fallbacks(deployment, settings.get("fallback_config"), known),
        "retry_config": _retries(settings.get("retry_config")),
        "rate_limits": _rate_limits(settings.get("rate_limits")),
        "guardrail_profile": str(deployment.guardrail) if deployment.guardrail is not None else None,
    }
    return {**entry, **{field: value for field, value in optional.items() if value}}


def _providers(deployment: Deployment) -> tuple[Json, str | None]:
    """Return how each provider is called, and the key that goes along."""
    if deployment.moderation is not None:
        return dict(deployment.moderation.providers), deployment.moderation.key
    name, form, takes_key = form_of(deployment)
    return {name: form}, deployment.access.gateway_key if takes_key and deployment.access is not None else None


def _document_reader(deployment: Deployment, url: str) -> Json:
    names = {"type": "buddoc", "model_name": deployment.namespace}
    return {**names, "api_base": url, "api_key_location": "dynamic::authorization"}


def _pricing(deployment: Deployment) -> Json | None:
    price = deployment.price
    if price is None:
        return None
    costs = {"input_cost": float(price.input_cost), "output_cost": float(price.output_cost)}
    return {**costs, "currency": price.currency, "per_tokens": price.per_tokens}


def _inference_cost(stored: Mapping[str, Any] | None) -> Json | None:
    if not stored:
        return None
    costs = {name: float(stored.get(f"{name}_per_token") or 0) for name in ("input_cost", "output_cost")}
    return {**costs, "currency": stored.get("currency") or "USD", "per_tokens": 1}


def _fallbacks(deployment: Deployment, stored: Any, known: Collection[UUID]) -> list[str]:
    wanted = (stored or {}).get("fallback_models") or []
    others = {str(endpoint_id) for endpoint_id in known if endpoint_id != deployment.id}
    return [str(one) for one in wanted if str(one) in others]


def _retries(stored: Any) -> Json | None:
    if not stored:
        return None
    return {"num_retries": int(stored.get("num_retries") or 0), "max_delay_s": float(stored.get("max_delay_s") or 1)}


def _rate_limits(stored: Any) -> Json | None:
    if not stored or stored.get("algorithm", "token_bucket") not in _ALGORITHMS:
        return None
    rates = {name: stored[name] for name in _RATES if stored.get(name)}
    common = {"algorithm": stored.get("algorithm", "token_bucket"), "enabled": bool(stored.get("enabled", True))}
    return {**common, **rates, **_RATE_DEFAULTS}


def _text(value: Json) -> str:
    """Return the one text of the value, so that equal values are equal texts."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
