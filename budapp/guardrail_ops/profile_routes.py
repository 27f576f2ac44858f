from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from budapp.commons.access import Caller, Requires, service_accounts_may
from budapp.commons.database import Read, Write
from budapp.commons.deadlines import may_take
from budapp.commons.domain import provided
from budapp.commons.idempotency import IdempotentRoute
from budapp.commons.scopes import Scope
from budapp.guardrail_ops import profiles
from budapp.guardrail_ops import schemas as view
from budapp.guardrail_ops.trial import Trials
from budapp.guardrail_ops.trial_schemas import TrialAnswer, TrialRequest

router = APIRouter(
    prefix="/guardrails", tags=["guardrails"], route_class=IdempotentRoute, dependencies=[service_accounts_may]
)
trial_router = APIRouter(prefix="/guardrails", tags=["guardrails"], dependencies=[service_accounts_may])

Lister = Annotated[Caller, Depends(Requires(Scope.PROJECT_VIEW))]
Viewer = Annotated[Caller, Depends(profiles.VIEWING)]
Manager = Annotated[Caller, Depends(profiles.MANAGING)]
ViewerOfDeployment = Annotated[Caller, Depends(profiles.VIEWING_DEPLOYMENT)]
ManagerOfDeployment = Annotated[Caller, Depends(profiles.MANAGING_DEPLOYMENT)]

TRIAL_SECONDS = 45


@router.get("/profiles/tags")
async def list_profile_tags(
    caller: Lister, session: Read, query: Annotated[view.TagQuery, Query()]
) -> view.GuardrailTagList:
    """List the tags of profiles in reach, by name."""
    return view.GuardrailTagList.of(await profiles.list_tags(session, caller, query))


@router.get("/profiles")
async def list_profiles(
    caller: Lister, session: Read, query: Annotated[view.ProfileQuery, Query()]
) -> view.ProfileList:
    """List the profiles of projects in which the caller may view endpoints, the newest first."""
    return view.ProfileList.of(await profiles.list_profiles(session, caller, query))


@router.get("/profile/{profile_id}")
async def get_profile(profile_id: UUID, caller: Viewer, session: Read) -> view.ProfileRetrieved:
    """Get a profile."""
    row = await profiles.get_profile(session, caller, profile_id)
    return view.ProfileRetrieved(profile=view.ProfileView.model_validate(dict(row._mapping)))


@router.put("/profile/{profile_id}")
async def update_profile(
    profile_id: UUID, data: view.ProfileUpdate, caller: Manager, session: Write
) -> view.ProfileUpdated:
    """Change a profile; the gateway hears of it at once."""
    row = await profiles.update_profile(session, caller, profile_id, data)
    return view.ProfileUpdated(profile=view.ProfileView.model_validate(dict(row._mapping)))


@router.delete("/profile/{profile_id}")
async def delete_profile(profile_id: UUID, caller: Manager, session: Write) -> view.Deleted:
    """Delete a profile that is before no endpoint, with where it is at work by itself."""
    await profiles.delete_profile(session, caller, profile_id)
    return view.Deleted(message="Profile deleted")


@router.get("/profile/{profile_id}/probes")
async def list_profile_probes(
    profile_id: UUID, caller: Viewer, session: Read, query: Annotated[view.ProbeQuery, Query()]
) -> view.ProfileProbeList:
    """List a profile's probes, by name."""
    return view.ProfileProbeList.of(await profiles.list_probes(session, caller, profile_id, query))


@router.get("/profile/{profile_id}/probe/{probe_id}/rules")
async def list_profile_rules(
    profile_id: UUID, probe_id: UUID, caller: Viewer, session: Read, query: Annotated[view.RuleQuery, Query()]
) -> view.ProfileRuleList:
    """List the rules of a probe as a profile has them, by name."""
    return view.ProfileRuleList.of(await profiles.list_rules(session, caller, profile_id, probe_id, query))


@router.get("/profile/{profile_id}/deployments")
async def list_deployments(
    profile_id: UUID, caller: Viewer, session: Read, query: Annotated[view.DeploymentQuery, Query()]
) -> view.GuardrailDeploymentList:
    """List where a profile is at work, the newest first."""
    return view.GuardrailDeploymentList.of(await profiles.list_deployments(session, caller, profile_id, query))


@trial_router.post("/profile/{profile_id}/test", dependencies=[may_take(TRIAL_SECONDS)])
async def try_profile(
    profile_id: UUID, data: TrialRequest, caller: Viewer, trials: Annotated[Trials, provided(Trials)]
) -> TrialAnswer:
    """Have the probes of a profile look through a text, and return what each one says."""
    return await trials.look_through(caller, profile_id, data.text)


@router.get("/deployment/{deployment_id}")
async def get_deployment(deployment_id: UUID, caller: ViewerOfDeployment, session: Read) -> view.DeploymentRetrieved:
    """Get a guardrail that is at work."""
    row = await profiles.get_deployment(session, caller, deployment_id)
    return view.DeploymentRetrieved(deployment=view.DeploymentView.model_validate(dict(row._mapping)))


@router.put("/deployment/{deployment_id}")
async def update_deployment(
    deployment_id: UUID, data: view.DeploymentUpdate, caller: ManagerOfDeployment, session: Write
) -> view.DeploymentUpdated:
    """Change a guardrail that is at work."""
    row = await profiles.update_deployment(session, caller, deployment_id, data)
    return view.DeploymentUpdated(deployment=view.DeploymentView.model_validate(dict(row._mapping)))


@router.delete("/deployment/{deployment_id}")
async def delete_deployment(deployment_id: UUID, caller: ManagerOfDeployment, session: Write) -> view.Deleted:
    """Take a guardrail away from where it is at work."""
    await profiles.delete_deployment(session, caller, deployment_id)
    return view.Deleted(message="Deployment deleted")


@router.get("/deployment/{deployment_id}/progress")
async def get_progress(deployment_id: UUID, caller: ViewerOfDeployment, session: Read) -> view.DeploymentProgress:
    """Get how the models are that a guardrail works with."""
    return await profiles.get_progress(session, caller, deployment_id)
