"""A process of budapp that is killed in the middle of a deployment, and another one that goes on."""

from tests.deployments.conftest import PATH, Ground
from tests.deployments.test_going_wrong import clean
from tests.replicas import Replica
from tests.workflows.conftest import replica
from tests.workflows.killing import end_leases, killed_while_it_asks

__all__ = ["replica"]


async def killed(ground: Ground, replica: Replica) -> str:
    workflow_id = await ground.simulated("killed")
    await ground.step(6, workflow_id, cluster_id=ground.cluster_id)
    trigger = {"step_number": 8, "workflow_id": workflow_id, "trigger_workflow": True}
    await killed_while_it_asks(ground.bench, replica, PATH, ground.cluster_id, peer=ground.budcluster, **trigger)
    return workflow_id


async def test_a_deployment_that_was_begun_is_there_once(ground: Ground, replica: Replica) -> None:
    await ground.budcluster.does_wrong(ground.cluster_id, hang=True, but_do_it=True, times=1)
    workflow_id = await killed(ground, replica)

    async def is_up() -> bool:
        return [one["endpoint_name"] for one in await ground.running()] == ["killed"]

    await ground.until(is_up)
    await end_leases(ground.bench)
    await ground.bench.reconcile()
    await ground.bench.until(workflow_id, "completed")
    [endpoint] = await ground.endpoints()
    assert (endpoint["name"], endpoint["status"]) == ("killed", "running")
    assert [one["namespace"] for one in await ground.running()] == [endpoint["namespace"]]


async def test_a_deployment_that_never_began_leaves_nothing_and_a_retry_does_it(
    ground: Ground, replica: Replica
) -> None:
    await ground.budcluster.does_wrong(ground.cluster_id, hang=True, times=1)
    workflow_id = await killed(ground, replica)
    await end_leases(ground.bench)
    await ground.bench.reconcile()
    assert "Interrupted" in (await ground.bench.get(workflow_id))["reason"]
    await clean(ground)
    await ground.bench.post(f"/workflows/{workflow_id}/retry")
    await ground.bench.until(workflow_id, "completed")
    [endpoint] = await ground.endpoints()
    assert [one["namespace"] for one in await ground.running()] == [endpoint["namespace"]]
