"""Deploying a model, in one call instead of the steps of the frontend's wizard."""

from uuid import UUID

from budapp_client.connection import Budapp, answer
from budapp_client.errors import BudappError, WorkflowEnded
from budapp_client.rest.api.clusters import clusters_list_recommended
from budapp_client.rest.api.deployments import deployments_deploy_model
from budapp_client.rest.api.models import models_get
from budapp_client.rest.models import (
    ClusterOffer,
    DeployConfigPost,
    DeploymentWorkflow,
    DeployPost,
)
from budapp_client.rest.types import UNSET
from budapp_client.workflows import OnProgress, watch

_TOTAL_STEPS = 8
_LOAD, _OFFERS, _CLUSTER, _LAST = 4, 6, 6, 8


def deploy(
    api: Budapp,
    project_id: UUID,
    model_id: UUID,
    name: str,
    load: DeployConfigPost,
    cluster: str | None = None,
    credential_id: UUID | None = None,
    on_progress: OnProgress | None = None,
    seconds: float = 600,
) -> UUID:
    """Begin a deployment, and return its workflow's id, for `wait_for`.

    The clusters are simulated first, for so many seconds at most; then the model goes onto the one that is named, by
    name or id, or onto the best. A cloud's model runs at the cloud, with the credential of its provider.

    Raises:
        BudappError: no cluster can bear the load, or not the one that is named.
    """
    is_cloud = answer(models_get.sync(model_id, client=api)).model.provider_type == "cloud_model"
    begun = DeployPost(step_number=1, workflow_total_steps=_TOTAL_STEPS, project_id=project_id, model_id=model_id)
    begun.hardware_mode = UNSET if is_cloud else "dedicated"
    begun.credential_id = credential_id or UNSET
    workflow_id = _post(api, begun).workflow_id
    described = DeployPost(_LOAD, workflow_id=workflow_id, endpoint_name=name, deploy_config=load)
    described.trigger_workflow = is_cloud
    _post(api, described)
    if is_cloud:
        return workflow_id
    _wait_for_offers(api, workflow_id, on_progress, seconds)
    offers = answer(clusters_list_recommended.sync(workflow_id, client=api)).clusters
    _post(api, DeployPost(_CLUSTER, workflow_id=workflow_id, cluster_id=_choose(offers, cluster).cluster_id))
    _post(api, DeployPost(_LAST, workflow_id=workflow_id, trigger_workflow=True))
    return workflow_id


def _post(api: Budapp, step: DeployPost) -> DeploymentWorkflow:
    found = answer(deployments_deploy_model.sync(client=api, body=step))
    if not isinstance(found, DeploymentWorkflow):
        raise BudappError("The service only rehearsed the step")
    return found


def _wait_for_offers(api: Budapp, workflow_id: UUID, on_progress: OnProgress | None, seconds: float) -> None:
    for progress in watch(api, workflow_id, seconds):
        if on_progress:
            on_progress(progress)
        if progress.is_over:
            raise WorkflowEnded(str(workflow_id), progress.workflow.status, progress.workflow.reason)
        if progress.workflow.current_step >= _OFFERS:
            return


def _choose(offers: list[ClusterOffer], wanted: str | None) -> ClusterOffer:
    """Return the offer of the cluster that is wanted, or the first, which is the best."""
    if not offers:
        raise BudappError("No cluster can bear this load: ask for less, or add a cluster")
    if wanted is None:
        return offers[0]
    for offer in offers:
        if wanted in {offer.name, str(offer.id), str(offer.cluster_id)}:
            return offer
    names = ", ".join(offer.name for offer in offers)
    raise BudappError(f"The cluster {wanted} can't bear this load; these can: {names}")
