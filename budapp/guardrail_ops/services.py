"""Probes and rules: everybody sees presets, which nobody changes; the tenant's own are changed by who made them."""

from typing import Any
from uuid import UUID

from sqlalchemy import Row
from uuid_utils.compat import uuid7

from budapp.commons.access import Caller
from budapp.commons.crud import Page
from budapp.commons.database import ReadSession, WriteSession
from budapp.commons.errors import BadRequest, Forbidden, NotFound
from budapp.commons.paging import Paging
from budapp.commons.scopes import Scope
from budapp.guardrail_ops import schemas as view
from budapp.guardrail_ops.crud import ProbeCrud, RuleCrud, active_rules
from budapp.guardrail_ops.models import GuardrailProbe, GuardrailRule
from budapp.model_ops.services import find_model
from budapp.provider_ops.models import Provider
from budapp.provider_ops.services import find_provider

MODERATION = "moderation"
BUD = "bud_sentinel"
"""The provider by whose hands the platform's own models look at texts."""
_MOST_RULES = 1_000


async def reach_probe(session: ReadSession, caller: Caller, probe_id: UUID) -> GuardrailProbe:
    """Return the probe: a preset, or one of the tenant; `NotFound` else."""
    found: GuardrailProbe = await ProbeCrud(session, caller).get(probe_id)
    return found


async def reach_rule(session: ReadSession, caller: Caller, rule_id: UUID) -> GuardrailRule:
    """Return the rule: of a preset, or of the tenant's own; `NotFound` else."""
    found: GuardrailRule = await RuleCrud(session, caller).get(rule_id)
    return found


async def reach_changeable_probe(session: ReadSession, caller: Caller, probe_id: UUID) -> GuardrailProbe:
    """Return the probe if the caller may change it; raises as `refuse_others` does, or `NotFound`."""
    found = await reach_probe(session, caller, probe_id)
    refuse_others(found, caller)
    return found


async def reach_changeable_rule(session: ReadSession, caller: Caller, rule_id: UUID) -> GuardrailRule:
    """Return the rule if the caller may change it; raises as `refuse_others` does, or `NotFound`."""
    found = await reach_rule(session, caller, rule_id)
    refuse_others(found, caller)
    return found


def refuse_others(row: GuardrailProbe | GuardrailRule, caller: Caller) -> None:
    """Raise `Forbidden` where the row is a preset, or somebody else's and the caller lacks user:manage."""
    if row.created_by is None:
        raise Forbidden("This comes with the platform and can't be changed; make one of your own instead")
    if row.created_by != caller.user_id and not caller.may(Scope.USER_MANAGE):
        raise Forbidden("Only who made it, or an administrator, can change it")


async def list_probes(session: ReadSession, caller: Caller, query: view.ProbeQuery) -> Page:
    """Return a page of the probes, by name."""
    return await ProbeCrud(session, caller).page_of_probes(query)


async def list_tags(session: ReadSession, caller: Caller, query: view.TagQuery) -> Page:
    """Return a page of the tags of probes, by name."""
    return await ProbeCrud(session, caller).page_of_tags(query, query.name)


async def get_probe(
    session: ReadSession, caller: Caller, probe_id: UUID, *, include_rules: bool = False
) -> view.ProbeDetail:
    """Return a probe, with its rules where asked; `NotFound` out of reach."""
    found = view.ProbeView.model_validate(await ProbeCrud(session, caller).view(probe_id))
    rules = None
    if include_rules:
        page = await RuleCrud(session, caller).page_of_probe(probe_id, view.RuleQuery(limit=_MOST_RULES))
        rules = [view.GuardrailRuleView.model_validate(dict(row._mapping)) for row in page.rows]
    return view.ProbeDetail.model_construct(**dict(found), rules=rules)


async def list_rules(session: ReadSession, caller: Caller, probe_id: UUID, query: view.RuleQuery) -> Page:
    """Return a page of a probe's rules, by name; `NotFound` out of reach."""
    await reach_probe(session, caller, probe_id)
    return await RuleCrud(session, caller).page_of_probe(probe_id, query)


async def get_rule(session: ReadSession, caller: Caller, rule_id: UUID) -> Row[Any]:
    """Return a rule; `NotFound` out of reach."""
    return await RuleCrud(session, caller).view(rule_id)


async def require_moderator(session: ReadSession, provider_id: UUID) -> Provider:
    """Return a provider that can look at texts.

    Raises:
        NotFound: no such provider.
        BadRequest: it can't.
    """
    provider = await find_provider(session, id=provider_id)
    if provider is None:
        raise NotFound("Provider not found", param="provider_id")
    if MODERATION not in provider.capabilities:
        raise BadRequest(f"{provider.name} does not look at texts; choose another provider", param="provider_id")
    return provider


async def create_probe(session: WriteSession, caller: Caller, data: view.ProbeCreate) -> UUID:
    """Make a probe of the tenant's own.

    Raises:
        NotFound: no such provider.
        BadRequest: it does not look at texts.
    """
    await require_moderator(session, data.provider_id)
    probe = new_probe(caller, **data.model_dump(), probe_type="custom")
    session.add(probe)
    await session.flush()
    return probe.id


def new_probe(caller: Caller, **fields: Any) -> GuardrailProbe:
    """Return a probe of the tenant's own."""
    probe_id = uuid7()
    owned = {"tenant_id": caller.tenant_id, "created_by": caller.user_id}
    return GuardrailProbe(id=probe_id, uri=f"custom.{probe_id.hex}", **owned, **fields)


def new_rule(caller: Caller, probe_id: UUID, **fields: Any) -> GuardrailRule:
    """Return a rule of the tenant's own."""
    rule_id = uuid7()
    owned = {"tenant_id": caller.tenant_id, "created_by": caller.user_id}
    uri = f"custom.{probe_id.hex}.{rule_id.hex}"
    return GuardrailRule(id=rule_id, probe_id=probe_id, uri=uri, **owned, **fields)


async def update_probe(session: WriteSession, caller: Caller, probe_id: UUID, data: view.ProbeUpdate) -> None:
    """Change what was sent.

    Raises:
        NotFound: no such probe, or another tenant's.
        Forbidden: it is a preset, or somebody else's.
    """
    probe = await _changeable(session, caller, probe_id)
    for name, value in data.model_dump(exclude_unset=True).items():
        if value is not None or name == "description":
            setattr(probe, name, value)
    await session.flush()


async def delete_probe(session: WriteSession, caller: Caller, probe_id: UUID) -> None:
    """Delete a probe with its rules; profiles lose it. Raises as `update_probe` does."""
    probe = await _changeable(session, caller, probe_id)
    for rule in await active_rules(session, caller.tenant_id, [probe_id]):
        rule.status = "deleted"
    probe.status = "deleted"


async def create_rule(session: WriteSession, caller: Caller, data: view.GuardrailRuleCreate) -> Row[Any]:
    """Add a rule to a probe of one's own; raises as `update_probe` does."""
    await _changeable(session, caller, data.probe_id)
    rule = new_rule(caller, **data.model_dump(mode="json", exclude={"probe_id"}), probe_id=data.probe_id)
    session.add(rule)
    await session.flush()
    return await RuleCrud(session, caller).view(rule.id)


async def update_rule(session: WriteSession, caller: Caller, rule_id: UUID, data: view.GuardrailRuleUpdate) -> Row[Any]:
    """Change what was sent; raises as `update_probe` does."""
    rule = await RuleCrud(session, caller).get(rule_id, for_update=True)
    refuse_others(rule, caller)
    for name, value in data.model_dump(exclude_unset=True).items():
        if value is not None or name == "description":
            setattr(rule, name, value)
    await session.flush()
    return await RuleCrud(session, caller).view(rule_id)


async def delete_rule(session: WriteSession, caller: Caller, rule_id: UUID) -> None:
    """Delete a rule; raises as `update_probe` does."""
    rule = await RuleCrud(session, caller).get(rule_id, for_update=True)
    refuse_others(rule, caller)
    rule.status = "deleted"


async def list_custom_probes(session: ReadSession, caller: Caller, paging: Paging) -> Page:
    """Return a page of the tenant's own probes, the newest first."""
    return await ProbeCrud(session, caller).page_of_custom(paging)


async def create_custom_probe(session: WriteSession, caller: Caller, data: view.CustomProbeCreate) -> Row[Any]:
    """Make a probe with one rule, by a model of the tenant's.

    Raises:
        NotFound: the tenant has no such model; or the platform knows nobody to run it.
    """
    model = await find_model(session, caller.tenant_id, data.model_id)
    if model is None:
        raise NotFound("Model not found", param="model_id")
    about = {"name": data.name, "description": data.description}
    provider = await own_provider(session)
    probe = new_probe(caller, **about, provider_id=provider.id, provider_type="bud", probe_type="custom")
    session.add(probe)
    await session.flush()
    of_model = {"model_uri": model.uri, "model_provider_type": model.provider_type, "scanner_type": data.scanner_type}
    config = data.model_config_data.model_dump(mode="json")
    kinds = {"guard_types": ["input"], "modality_types": ["text"]}
    session.add(new_rule(caller, probe.id, **about, **of_model, **kinds, model_config_json=config))
    await session.flush()
    return await ProbeCrud(session, caller).custom(probe.id)


async def own_provider(session: ReadSession) -> Provider:
    """Return the provider by whose hands the platform's own models look at texts; `NotFound` where there is none."""
    provider = await find_provider(session, type=BUD)
    if provider is None:
        raise NotFound("The catalog of providers does not name Bud Sentinel; have it brought up to date")
    return provider


async def update_custom_probe(
    session: WriteSession, caller: Caller, probe_id: UUID, data: view.CustomProbeUpdate
) -> Row[Any]:
    """Change what was sent; raises as `update_probe` does."""
    probe = await _changeable(session, caller, probe_id)
    rules = await active_rules(session, caller.tenant_id, [probe_id])
    about = {name: value for name in ("name", "description") if (value := getattr(data, name)) is not None}
    for row in (probe, *rules[:1]):
        for name, value in about.items():
            setattr(row, name, value)
    if data.model_config_data is not None and rules:
        rules[0].model_config_json = data.model_config_data.model_dump(mode="json")
    await session.flush()
    return await ProbeCrud(session, caller).custom(probe_id)


async def _changeable(session: WriteSession, caller: Caller, probe_id: UUID) -> GuardrailProbe:
    probe: GuardrailProbe = await ProbeCrud(session, caller).get(probe_id, for_update=True)
    refuse_others(probe, caller)
    return probe
