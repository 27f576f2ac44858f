"""Which models the selected rules look at texts with, and how far the tenant has them."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from budapp.commons.database import ReadSession
from budapp.endpoint_ops.models import Endpoint, EndpointStatus
from budapp.guardrail_ops import profile_crud
from budapp.guardrail_ops.crud import active_probes, active_rules
from budapp.guardrail_ops.models import GuardrailProfile, GuardrailRule
from budapp.guardrail_ops.profiles import overrides_of
from budapp.guardrail_ops.schemas import ProbeSelection
from budapp.guardrail_ops.step_views import ModelStatus
from budapp.model_ops.models import Model

NOTHING_TO_DO, TO_DEPLOYMENT = 12, 8
"""Where the wizard goes on: behind its last step, or at that of the load."""
_BETTER = (EndpointStatus.RUNNING, EndpointStatus.UNHEALTHY, EndpointStatus.DEPLOYING, EndpointStatus.PENDING)


def slug(text: str) -> str:
    """Return the text as it stands in the ids of steps and in the names of deployments."""
    return re.sub(r"[^a-z0-9]+", "-", text.rpartition("/")[2].lower()).strip("-")[:60] or "model"


def effective_rules(
    selections: Iterable[ProbeSelection], rules: Mapping[UUID, Sequence[GuardrailRule]]
) -> list[GuardrailRule]:
    """Return the rules that the selections leave active."""
    found: list[GuardrailRule] = []
    for one in selections:
        if one.enabled is False:
            continue
        said = overrides_of(one, [rule.id for rule in rules[one.id]])
        found += [rule for rule in rules[one.id] if rule.id not in said or said[rule.id].status == "active"]
    return found


async def rules_of_profile(session: ReadSession, profile: GuardrailProfile) -> list[GuardrailRule]:
    """Return the rules that are active in a profile; of a probe that it has lost there are none."""
    chosen, said = await profile_crud.selections_of(session, profile)
    probes = await active_probes(session, profile.tenant_id, [one.probe_id for one in chosen])
    rules = await active_rules(session, profile.tenant_id, list(probes))
    return [rule for rule in rules if rule.id not in said or said[rule.id].status == "active"]


async def statuses(
    session: ReadSession, tenant_id: UUID, project_id: UUID, rules: Sequence[GuardrailRule]
) -> list[ModelStatus]:
    """Return the models of the rules, each once, with the best deployment that the project has of it."""
    by_uri: dict[str, list[GuardrailRule]] = {}
    for rule in rules:
        if rule.model_uri is not None:
            by_uri.setdefault(rule.model_uri, []).append(rule)
    models = await profile_crud.models_of_uris(session, tenant_id, list(by_uri))
    ids = [model.id for model in models.values()]
    deployed = _best(await profile_crud.endpoints_of_models(session, project_id, ids))
    return [_status(uri, own, models.get(uri), deployed) for uri, own in by_uri.items()]


def _best(endpoints: Iterable[Endpoint]) -> dict[UUID, Endpoint]:
    order = {status: place for place, status in enumerate(_BETTER)}
    ranked = sorted(endpoints, key=lambda one: -order.get(one.status, len(_BETTER)))  # type: ignore[call-overload]
    return {one.model_id: one for one in ranked}


def _status(
    uri: str, rules: Sequence[GuardrailRule], model: Model | None, deployed: Mapping[UUID, Endpoint]
) -> ModelStatus:
    endpoint = deployed.get(model.id) if model is not None else None
    status = "not_onboarded" if model is None else "onboarded" if endpoint is None else endpoint.status
    reusable = status in (EndpointStatus.RUNNING, EndpointStatus.UNHEALTHY)
    return ModelStatus(
        model_uri=uri,
        model_name=model.name if model is not None else uri.rpartition("/")[2],
        model_id=model.id if model is not None else None,
        rule_ids=[rule.id for rule in rules],
        rule_names=[rule.name for rule in rules],
        status=status,
        endpoint_id=endpoint.id if endpoint is not None else None,
        endpoint_name=endpoint.name if endpoint is not None else None,
        requires_onboarding=model is None,
        requires_deployment=not reusable,
        can_reuse=reusable,
        is_gated=any(rule.is_gated for rule in rules),
    )


def derived(found: Sequence[ModelStatus], *, in_cloud: bool) -> dict[str, Any]:
    """Return what the steps say of the models, and where the wizard goes on."""
    onboarding = sum(one.requires_onboarding for one in found)
    deployment = sum(one.requires_deployment for one in found)
    gated = any(one.is_gated and one.requires_onboarding for one in found)
    skip = NOTHING_TO_DO if not deployment else TO_DEPLOYMENT if not onboarding else None
    return {
        "model_statuses": [one.model_dump(mode="json") for one in found],
        "models_requiring_onboarding": onboarding,
        "models_requiring_deployment": deployment,
        "models_reusable": sum(one.can_reuse for one in found),
        "credential_required": in_cloud or gated,
        "skip_to_step": skip,
    }
