"""`guardrail_table:*`: what the gateway looks through texts for, and how; one entry for each profile that is at work.

A profile that is at work by itself is a deployment to the gateway, too: its name is called for moderations.

The gateway knows three kinds of providers, wants at least one probe, refuses an empty key, and takes JSON texts, not
objects, for settings of scanners and for overrides.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from budapp.gateway_ops.rows import Deployment, Moderation, ProviderAccess

Json = dict[str, Any]

GUARD_TYPES = ("input", "output")
_KNOWN = {"openai", "azure_content_safety", "bud_sentinel"}
BUD = "bud_sentinel"
_AZURE = "azure_content_safety"
_OPENAI_MODEL = "omni-moderation-latest"
_NO_SENTINEL = "the gateway can call it only where BUD_SENTINEL_URL is set"
_NO_ADDRESS = "its credential names no address"


@dataclass(frozen=True, slots=True)
class GuardRule:
    """An active rule of a profile; without overrides it is as its profile says. `served` is its model's place."""

    uri: str
    scanner_type: str | None
    config: Mapping[str, Any] | None
    severity_threshold: float | None
    guard_types: tuple[str, ...] | None
    served: tuple[str, str] | None


@dataclass(frozen=True, slots=True)
class GuardProbe:
    """A probe of a profile with its active rules."""

    uri: str
    provider: str
    severity_threshold: float | None
    guard_types: tuple[str, ...] | None
    rules: tuple[GuardRule, ...]


@dataclass(frozen=True, slots=True)
class Standalone:
    """A deployment of a profile that is before no endpoint."""

    id: UUID
    name: str
    project_id: UUID
    severity_threshold: float | None


@dataclass(frozen=True, slots=True)
class Guardrail:
    """A profile that is at work before endpoints, or by itself; `access` are the credentials of its deployments."""

    id: UUID
    tenant_id: UUID
    name: str
    severity_threshold: float
    guard_types: tuple[str, ...]
    probes: tuple[GuardProbe, ...]
    endpoint_ids: frozenset[UUID]
    standalone: tuple[Standalone, ...]
    access: Mapping[str, ProviderAccess]


def guardrail(profile_id: object) -> str:
    """Return where the entry of a profile lies."""
    return f"guardrail_table:{profile_id}"


def reason_against(one: Guardrail) -> str | None:
    """Return why the gateway can't be told of the profile; None where it can."""
    if not _probes(one):
        return "none of its probes is of a provider that the gateway knows, with a rule that is active"
    keyed = {probe.provider for probe in _probes(one)} - {BUD}
    if len(keyed) > 1:
        return f"the gateway takes one key for a profile, and {', '.join(sorted(keyed))} want one each"
    for provider in keyed:
        access = one.access.get(provider)
        if access is None:
            return f"no deployment of it has a credential of {provider}"
        if access.gateway_key is None:
            return "its credential holds no key that the gateway can read; is GATEWAY_PUBLIC_KEY set?"
    return None


def value_of(one: Guardrail, sentinel_url: str | None) -> Json:
    """Return the entry's value, of a profile with no `reason_against` it."""
    providers: Json = {}
    for probe in _probes(one):
        form = providers.setdefault(probe.provider, _provider(one, probe.provider, sentinel_url))
        form["probe_config"][probe.uri] = [rule.uri for rule in probe.rules]
    entry: Json = {
        "name": one.name,
        "providers": providers,
        "severity_threshold": one.severity_threshold,
        "guard_types": _guard_types(one.guard_types),
        "execution_mode": "parallel",
        "failure_mode": "best_effort",
    }
    optional = {
        "api_key": _key(one, providers),
        "custom_rules": _custom_rules(one),
        "rule_overrides_json": _overrides(one),
    }
    return {str(one.id): {**entry, **{name: value for name, value in optional.items() if value}}}


def deployments_of(guardrails: Iterable[Guardrail], sentinel_url: str | None) -> list[Deployment]:
    """Return the profiles that are at work by themselves as deployments; where a name is given twice, the last counts.

    A profile takes the place of the model, so keys that are limited to models or endpoints do not open it.
    """
    found = [
        Deployment(
            id=own.id,
            tenant_id=one.tenant_id,
            project_id=own.project_id,
            model_id=one.id,
            name=own.name,
            status="running",
            url="",
            namespace="",
            supported_endpoints=("/v1/moderations",),
            settings=None,
            inference_cost=None,
            is_published=False,
            of_platform=False,
            in_cloud=False,
            source="",
            guardrail=one.id,
            moderation=_moderation(one, own, sentinel_url),
        )
        for one in guardrails
        for own in one.standalone
    ]
    return sorted(found, key=lambda one: one.id, reverse=True)


def _moderation(one: Guardrail, own: Standalone, sentinel_url: str | None) -> Moderation:
    reason = reason_against(one)
    if reason is not None:
        return Moderation({}, None, reason)
    providers: Json = {}
    for name in dict.fromkeys(probe.provider for probe in _probes(one)):
        if name == BUD:
            if sentinel_url is None:
                return Moderation({}, None, _NO_SENTINEL)
            threshold = one.severity_threshold if own.severity_threshold is None else own.severity_threshold
            form: Json = {"type": BUD, "endpoint": sentinel_url, "api_key_location": "none"}
            providers[name] = {**form, "profile_id": str(one.id), "severity_threshold": threshold}
            continue
        form = {"type": name, "api_key_location": f"dynamic::store_{own.id}"}
        base = one.access[name].settings.get("api_base")
        if name == _AZURE:
            if not base:
                return Moderation({}, None, _NO_ADDRESS)
            providers[name] = {**form, "endpoint": base}
        else:
            providers[name] = {**form, "model_name": _OPENAI_MODEL, **({"api_base": base} if base else {})}
    return Moderation(providers, _key(one, providers))


def profiles_of_endpoints(guardrails: Iterable[Guardrail], known: Collection[UUID]) -> dict[UUID, UUID]:
    """Return the profile that stands before each endpoint, of those that have an entry."""
    return {endpoint_id: one.id for one in guardrails if one.id in known for endpoint_id in one.endpoint_ids}


def _key(one: Guardrail, providers: Iterable[str]) -> str | None:
    """Return the key of the provider that wants one."""
    return next((one.access[name].gateway_key for name in providers if name in one.access and name != BUD), None)


def _probes(one: Guardrail) -> list[GuardProbe]:
    return [probe for probe in one.probes if probe.provider in _KNOWN and probe.rules]


def _provider(one: Guardrail, provider: str, sentinel_url: str | None) -> Json:
    if provider == BUD:
        form: Json = {"type": BUD, "probe_config": {}, "api_key_location": "none"}
        return {**form, "endpoint": sentinel_url} if sentinel_url else form
    location = f"dynamic::store_{one.id}"
    form = {"type": provider, "probe_config": {}, "api_key_location": location}
    base = one.access[provider].settings.get("api_base")
    return {**form, "endpoint": base} if base else form


def _guard_types(said: Sequence[str]) -> list[str]:
    """Return those that the gateway knows; it guards what comes in where none is left."""
    return [name for name in GUARD_TYPES if name in said] or ["input"]


def _custom_rules(one: Guardrail) -> list[Json]:
    """Return the rules that work with a scanner of ours."""
    found = []
    for probe in _probes(one):
        for rule in probe.rules if probe.provider == BUD else ():
            if rule.scanner_type is None:
                continue
            config = dict(rule.config or {})
            if rule.served is not None:
                config |= {"endpoint": rule.served[0], "model": rule.served[1]}
            post = config.pop("post_processing", None)
            form = {"id": rule.uri, "scanner": rule.scanner_type, "scanner_config_json": _text(config)}
            found.append({**form, "post_processing_json": _text(post)} if post else form)
    return found


def _overrides(one: Guardrail) -> str | None:
    """Return what probes and rules say that is not as the profile says, as JSON."""
    found: Json = {}
    for probe in _probes(one):
        rows: list[GuardProbe | GuardRule] = [probe, *probe.rules]
        for row in rows:
            own: Json = {}
            if row.severity_threshold is not None:
                own["severity_threshold"] = row.severity_threshold
            if row.guard_types is not None:
                own["guard_types"] = _guard_types(row.guard_types)
            if own:
                found[row.uri] = own
    return _text(found) if found else None


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
