"""What workflows about deployments share: who may, which names are free, what steps name, what a token costs."""

from typing import Any
from uuid import UUID

from budapp.cluster_ops.step_views import ClusterBrief
from budapp.commons.access import Caller
from budapp.commons.advisory_locks import lock
from budapp.commons.database import ReadSession, WriteSession
from budapp.commons.errors import Conflict, Forbidden
from budapp.commons.scopes import Scope
from budapp.deployment_ops import crud
from budapp.deployment_ops.models import DeploymentName
from budapp.endpoint_ops import lifecycle
from budapp.endpoint_ops.step_views import CredentialBrief, TemplateBrief
from budapp.integrations.peers import Json
from budapp.model_ops import services as models
from budapp.project_ops.models import Project
from budapp.project_ops.services import RequiresInProject, RequiresInProjectOrPeer
from budapp.provider_credential_ops.models import ProviderCredential
from budapp.workflow_ops import services as workflows
from budapp.workflow_ops.step_views import Named, StepObjects

DEPLOYING = RequiresInProjectOrPeer(Scope.ENDPOINT_MANAGE)
"""What deploying in a project asks for; services of the platform deploy too."""
MANAGING = RequiresInProject(Scope.ENDPOINT_MANAGE)
"""The same of people alone."""

_NAMED = ("project_id", "template_id", "endpoint_id", "credential_id", "cluster_id")


async def require_may_deploy(session: ReadSession, caller: Caller, data: Json) -> Project | None:
    """Return the project that the steps name, if the caller may deploy there; None where they name none yet.

    Raises:
        NotFound: no such project, or out of reach.
        Forbidden: the caller may not deploy there, or in projects at large while none is named.
    """
    if data.get("project_id"):
        return await DEPLOYING.check(session, caller, UUID(data["project_id"]))
    if not caller.may(Scope.ENDPOINT_MANAGE):
        raise Forbidden(f"Permission required: {Scope.ENDPOINT_MANAGE}; name the project first")
    return None


async def reserve_name(session: WriteSession, tenant_id: UUID, name: str, workflow_id: UUID) -> None:
    """Keep the name for the workflow, as long as a service works on it.

    Raises:
        Conflict: an endpoint has the name, or another workflow under way is going to.
    """
    await lock(session, f"budapp:endpoint-name:{tenant_id}:{name}")
    await lifecycle.check_name_free(session, tenant_id, name)
    held = await crud.reservation(session, tenant_id, name)
    if held is None:
        session.add(DeploymentName(tenant_id=tenant_id, name=name, workflow_id=workflow_id))
    elif held.workflow_id != workflow_id:
        if await workflows.is_running(session, held.workflow_id):
            raise Conflict("A deployment with this name is under way; choose another name", param="endpoint_name")
        held.workflow_id = workflow_id
    await session.flush()


async def name_objects(session: ReadSession, tenant_id: UUID, data: dict[str, Any]) -> StepObjects:
    """Return all that the steps name, from the model to the cluster; in two statements at most."""
    named = await models.name_objects(session, tenant_id, data)
    ids = {name: UUID(data[name]) if data.get(name) else None for name in _NAMED}
    if not any(ids.values()):
        return named
    project, template, endpoint, credential, cluster = await crud.named(session, tenant_id, ids)
    return {
        **named,
        "project": Named.model_validate(project) if project else None,
        "template": TemplateBrief.model_validate(template) if template else None,
        "endpoint": Named.model_validate(endpoint) if endpoint else None,
        "credential": _credential(credential),
        "cluster": ClusterBrief.model_validate(cluster) if cluster else None,
    }


def _credential(row: ProviderCredential | None) -> CredentialBrief | None:
    return CredentialBrief(id=row.id, name=row.name, other_provider_creds=row.shown) if row else None
