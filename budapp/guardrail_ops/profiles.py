"""Profiles, and where they are at work; `workflows.py` has how they come there."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from budapp.commons.access import Caller
from budapp.commons.crud import Page
from budapp.commons.database import ReadSession, WriteSession
from budapp.commons.errors import Conflict, Forbidden, NotFound
from budapp.commons.integrity import conflict_on
from budapp.commons.scopes import Scope
from budapp.guardrail_ops import profile_crud
from budapp.guardrail_ops import schemas as view
from budapp.guardrail_ops.crud import active_probes, active_rules
from budapp.guardrail_ops.models import (
    GuardrailDeployment,
    GuardrailProfile,
    GuardrailProfileProbe,
    GuardrailProfileRule,
    GuardrailRule,
)
from budapp.guardrail_ops.profile_crud import DeploymentCrud, ProfileCrud
from budapp.project_ops.services import RequiresInProject

NAME_TAKEN = "Guardrail profile already exists"


async def reach_profile(session: ReadSession, caller: Caller, profile_id: UUID) -> GuardrailProfile:
    """Return the profile, or raise `NotFound`."""
    return await ProfileCrud(session, caller).get(profile_id)


async def reach_deployment(session: ReadSession, caller: Caller, deployment_id: UUID) -> GuardrailDeployment:
    """Return the deployment, or raise `NotFound`."""
    return await DeploymentCrud(session, caller).get(deployment_id)


async def _project_of_profile(session: ReadSession, caller: Caller, profile_id: UUID) -> UUID:
    return (await reach_profile(session, caller, profile_id)).project_id


async def _project_of_deployment(session: ReadSession, caller: Caller, deployment_id: UUID) -> UUID:
    return (await reach_deployment(session, caller, deployment_id)).project_id


VIEWING = RequiresInProject(Scope.ENDPOINT_VIEW, project_of=_project_of_profile)
MANAGING = RequiresInProject(Scope.ENDPOINT_MANAGE, project_of=_project_of_profile)
VIEWING_DEPLOYMENT = RequiresInProject(Scope.ENDPOINT_VIEW, project_of=_project_of_deployment)
MANAGING_DEPLOYMENT = RequiresInProject(Scope.ENDPOINT_MANAGE, project_of=_project_of_deployment)
"""What looking at profiles and their deployments, and changing them, requires in their project."""


async def list_profiles(session: ReadSession, caller: Caller, query: view.ProfileQuery) -> Page:
    """Return a page of the profiles in reach, the newest first."""
    return await ProfileCrud(session, caller).page_of_profiles(query)


async def list_tags(session: ReadSession, caller: Caller, query: view.TagQuery) -> Page:
    """Return a page of the tags of profiles in reach, by name."""
    return await ProfileCrud(session, caller).page_of_tags(query, query.name)


async def get_profile(session: ReadSession, caller: Caller, profile_id: UUID) -> Row[Any]:
    """Return a profile; `NotFound` out of reach."""
    return await ProfileCrud(session, caller).view(profile_id)


async def list_probes(session: ReadSession, caller: Caller, profile_id: UUID, query: view.ProbeQuery) -> Page:
    """Return a page of a profile's probes, by name; `NotFound` out of reach."""
    await reach_profile(session, caller, profile_id)
    return await ProfileCrud(session, caller).page_of_probes(profile_id, query)


async def list_rules(
    session: ReadSession, caller: Caller, profile_id: UUID, probe_id: UUID, query: view.RuleQuery
) -> Page:
    """Return a page of the rules of a probe as the profile has them; `NotFound` out of reach, or not in it."""
    await reach_profile(session, caller, profile_id)
    profiles = ProfileCrud(session, caller)
    if not await profiles.has_probe(profile_id, probe_id):
        raise NotFound("The profile has no such probe", param="probe_id")
    return await profiles.page_of_rules(profile_id, probe_id, query)


async def update_profile(session: WriteSession, caller: Caller, profile_id: UUID, data: view.ProfileUpdate) -> Row[Any]:
    """Change what was sent.

    Raises:
        NotFound: no such profile, probe or rule, or out of reach.
        Forbidden: the caller may not manage endpoints in its project.
        Conflict: another profile has the name.
    """
    profile = await ProfileCrud(session, caller).get(profile_id, for_update=True)
    await MANAGING.check(session, caller, profile.project_id)
    changes = data.model_dump(exclude_unset=True, exclude={"probe_selections"})
    for name, value in changes.items():
        if value is not None or name == "description":
            setattr(profile, name, value)
    await flush_name(session)
    if data.probe_selections is not None:
        await profile_crud.clear_selections(session, profile)
        await select_probes(session, profile, data.probe_selections)
    return await ProfileCrud(session, caller).view(profile_id)


async def flush_name(session: WriteSession) -> None:
    """Write down a profile, or raise `Conflict` where another one has its name."""
    with conflict_on("uq_guardrail_profile_tenant_id_name", Conflict(NAME_TAKEN, param="name")):
        await session.flush()


async def select_probes(
    session: WriteSession, profile: GuardrailProfile, selections: Sequence[view.ProbeSelection]
) -> None:
    """Put the probes into a profile that has none; of a rule it is only noted what differs from its probe."""
    chosen = [one for one in selections if one.enabled is not False]
    rules = await require_selection(session, profile.tenant_id, chosen)
    mine = {"tenant_id": profile.tenant_id, "profile_id": profile.id}
    for one in chosen:
        own = {"severity_threshold": one.severity_threshold, "guard_types": one.guard_types}
        session.add(GuardrailProfileProbe(probe_id=one.id, **own, **mine))
        for rule_id, said in overrides_of(one, [rule.id for rule in rules[one.id]]).items():
            about = said.model_dump(include={"status", "severity_threshold", "guard_types"})
            session.add(GuardrailProfileRule(rule_id=rule_id, **about, **mine))
    await session.flush()


def overrides_of(selection: view.ProbeSelection, rule_ids: Sequence[UUID]) -> dict[UUID, view.RuleSelection]:
    """Return what a selection says of the rules of its probe that is not what the probe says anyway."""
    said = {rule.id: rule for rule in selection.rules or ()}
    only_these = any(rule.status == "active" for rule in said.values())
    found: dict[UUID, view.RuleSelection] = {}
    for rule_id in rule_ids:
        rule = said.get(rule_id)
        if rule is None and only_these:
            found[rule_id] = view.RuleSelection(id=rule_id, status="disabled")
        elif rule is not None and (
            rule.status == "disabled" or rule.severity_threshold is not None or rule.guard_types
        ):
            found[rule_id] = rule
    return found


async def require_selection(
    session: ReadSession, tenant_id: UUID, selections: Sequence[view.ProbeSelection]
) -> dict[UUID, list[GuardrailRule]]:
    """Return the active rules of each selected probe.

    Raises:
        NotFound: no such probe that is active, or a rule that is none of its probe's; or out of reach.
    """
    ids = [one.id for one in selections]
    known = await active_probes(session, tenant_id, set(ids))
    if len(known) < len(set(ids)):
        raise NotFound("Probe not found, or it is not active", param="probe_selections")
    rules: dict[UUID, list[GuardrailRule]] = {probe_id: [] for probe_id in ids}
    for rule in await active_rules(session, tenant_id, set(ids)):
        rules[rule.probe_id].append(rule)
    for one in selections:
        if not {rule.id for rule in one.rules or ()} <= {rule.id for rule in rules[one.id]}:
            raise NotFound("A selected rule is none of its probe's", param="probe_selections")
    return rules


async def delete_profile(session: WriteSession, caller: Caller, profile_id: UUID) -> None:
    """Delete a profile, with where it is at work by itself.

    Raises:
        NotFound: no such profile, or out of reach.
        Forbidden: the caller may not manage endpoints in its project; or it is before deployments.
    """
    profile = await ProfileCrud(session, caller).get(profile_id, for_update=True)
    await MANAGING.check(session, caller, profile.project_id)
    at_work = await profile_crud.deployments_of(session, profile_id)
    bound = [one for one in at_work if one.endpoint_id is not None]
    if bound:
        raise Forbidden(f"The profile is before {len(bound)} deployment(s); take it away from there first")
    for one in at_work:
        one.status = "deleted"
    profile.status = "deleted"


async def list_deployments(session: ReadSession, caller: Caller, profile_id: UUID, query: view.DeploymentQuery) -> Page:
    """Return a page of where a profile is at work, the newest first; `NotFound` out of reach."""
    await reach_profile(session, caller, profile_id)
    return await DeploymentCrud(session, caller).page_of_profile(profile_id, query)


async def get_deployment(session: ReadSession, caller: Caller, deployment_id: UUID) -> Row[Any]:
    """Return a deployment; `NotFound` out of reach."""
    return await DeploymentCrud(session, caller).view(deployment_id)


async def update_deployment(
    session: WriteSession, caller: Caller, deployment_id: UUID, data: view.DeploymentUpdate
) -> Row[Any]:
    """Change what was sent.

    Raises:
        NotFound: no such deployment, or out of reach.
        Forbidden: the caller may not manage endpoints in its project.
    """
    deployment = await DeploymentCrud(session, caller).get(deployment_id, for_update=True)
    await MANAGING.check(session, caller, deployment.project_id)
    for name, value in data.model_dump(exclude_unset=True).items():
        if value is not None or name != "name":
            setattr(deployment, name, value)
    await session.flush()
    return await DeploymentCrud(session, caller).view(deployment_id)


async def delete_deployment(session: WriteSession, caller: Caller, deployment_id: UUID) -> None:
    """Take a guardrail away; raises as `update_deployment` does."""
    deployment = await DeploymentCrud(session, caller).get(deployment_id, for_update=True)
    await MANAGING.check(session, caller, deployment.project_id)
    deployment.status = "deleted"


async def get_progress(session: ReadSession, caller: Caller, deployment_id: UUID) -> view.DeploymentProgress:
    """Return how the models are that a deployment works with; `NotFound` out of reach."""
    deployment = await reach_deployment(session, caller, deployment_id)
    rows = await DeploymentCrud(session, caller).models(deployment.profile_id)
    rules = [view.RuleProgress.model_validate(dict(row._mapping)) for row in rows]
    ready = sum(rule.status == "running" for rule in rules)
    return view.DeploymentProgress(
        deployment_id=deployment.id, status=deployment.status, ready=ready, total=len(rules), rules=rules
    )
