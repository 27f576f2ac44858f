"""Deleting a worker: budcluster says whose it is before it is asked to."""

from budapp.commons.access import Caller
from budapp.commons.database import Database
from budapp.endpoint_ops.access import changeable_endpoint
from budapp.integrations.dapr import DaprClient
from budapp.worker_ops import services, workflows
from budapp.worker_ops.schemas import WorkerDeletion, WorkerDeletionPost, WorkerDeletionStarted
from budapp.workflow_ops.services import Workflows


async def delete_worker(
    database: Database, dapr: DaprClient, flows: Workflows, caller: Caller, data: WorkerDeletion
) -> WorkerDeletionStarted:
    """Have budcluster delete a worker of an endpoint.

    Raises:
        NotFound: no such endpoint, out of reach, or the worker is another deployment's.
        Forbidden: the caller lacks endpoint:manage in the endpoint's project.
        BadRequest: the endpoint has no workers, is being deleted, or budcluster refused.
        PeerFailed, Unavailable: budcluster.
    """
    async with database.read() as session:
        endpoint = await changeable_endpoint(session, caller, data.endpoint_id, on_cluster=True)
    await services.worker_of(dapr, endpoint, data.worker_id)
    step = {"step_number": 1, "workflow_total_steps": 1, "trigger_workflow": True}
    post = WorkerDeletionPost.model_validate({**step, **data.model_dump()})
    return WorkerDeletionStarted(workflow_id=(await flows.post(caller, workflows.DELETION.type, post)).workflow_id)
