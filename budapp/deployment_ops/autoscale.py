"""How deployments scale by themselves: budcluster does it, and is asked first."""

from uuid import UUID

from budapp.commons.access import Caller
from budapp.commons.database import Database, ReadSession
from budapp.commons.errors import BadRequest
from budapp.deployment_ops.scaling_schemas import Autoscale, ScalerSpecification
from budapp.endpoint_ops.access import changeable_endpoint, reach_endpoint
from budapp.endpoint_ops.models import Endpoint, EndpointStatus
from budapp.events.outbox import enqueue_call
from budapp.integrations import budcluster_deployments
from budapp.integrations.dapr import DaprClient
from budapp.integrations.peers import Json

_CAN_SCALE = (EndpointStatus.RUNNING, EndpointStatus.DEPLOYING, EndpointStatus.FAILURE, EndpointStatus.UNHEALTHY)


async def get_autoscale(session: ReadSession, caller: Caller, endpoint_id: UUID) -> Autoscale:
    """Return how a deployment scales.

    Raises:
        NotFound: no such endpoint, or out of reach.
    """
    return _shown(await reach_endpoint(session, caller, endpoint_id))


async def set_autoscale(
    database: Database, dapr: DaprClient, caller: Caller, endpoint_id: UUID, wanted: ScalerSpecification
) -> Autoscale:
    """Have budcluster scale a deployment like this from now on, and keep it; of parallel changes, the last one holds.

    Raises:
        NotFound: no such endpoint, or out of reach.
        Forbidden: the caller lacks endpoint:manage in its project.
        BadRequest: a deployment in its state, or without a cluster, does not scale; or budcluster refused.
        PeerFailed, Unavailable: budcluster; nothing is kept then.
    """
    async with database.read() as session:
        endpoint = await changeable_endpoint(session, caller, endpoint_id, on_cluster=True)
    if endpoint.status not in _CAN_SCALE or endpoint.bud_cluster_id is None:
        raise BadRequest(f"A deployment that is {endpoint.status} can't be scaled")
    before, body = _kept(endpoint), wanted.model_dump(mode="json")
    call = budcluster_deployments.autoscale(endpoint.bud_cluster_id, endpoint.namespace, body)
    await budcluster_deployments.set_autoscale(dapr, call)
    async with database.write() as session:
        endpoint = await changeable_endpoint(session, caller, endpoint_id, for_update=True)
        overtaken = _kept(endpoint) != before
        endpoint.deployment_config = {**(endpoint.deployment_config or {}), "budaiscaler": body}
        if overtaken:  # somebody asked budcluster meanwhile, and what it did last is not known
            await enqueue_call(session, call, aggregate=f"autoscale:{endpoint.id}")
        return _shown(endpoint)


def _kept(endpoint: Endpoint) -> Json | None:
    return (endpoint.deployment_config or {}).get("budaiscaler")


def _shown(endpoint: Endpoint) -> Autoscale:
    found = _kept(endpoint)
    kept = ScalerSpecification.model_validate(found) if found else None
    return Autoscale(endpoint_id=endpoint.id, autoscale_enabled=bool(kept and kept.enabled), budaiscaler_config=kept)
