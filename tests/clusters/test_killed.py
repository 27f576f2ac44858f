"""A process of budapp that is killed while it onboards a cluster, and another one that goes on."""

from typing import Any
from uuid import uuid4

from tests.clusters.conftest import ONBOARD, Site
from tests.clusters.kubeconfigs import config, dumped
from tests.replicas import Replica
from tests.waiting import until
from tests.workflows.conftest import replica
from tests.workflows.killing import end_leases, killed_while_it_asks

__all__ = ["replica"]


async def killed(site: Site, replica: Replica, **fault: Any) -> str:
    """Have the process killed when budcluster has the kubeconfig; return the workflow's id."""
    ingress = f"https://{uuid4().hex}.example.com"
    await site.budcluster.does_wrong(ingress, hang=True, times=1, **fault)
    name = f"Lab {uuid4().hex[:8]}"
    first = await site.post(file=dumped(config()), step_number=1, workflow_total_steps=3, name=name, icon="i")
    workflow_id = str(first["workflow_id"])
    form = {"step_number": "2", "workflow_id": workflow_id, "trigger_workflow": "true"}
    form["ingress_url"] = ingress
    files = {"configuration_file": ("cluster.yaml", dumped(config()), "application/yaml")}
    await killed_while_it_asks(site.bench, replica, ONBOARD, workflow_id, peer=site.budcluster, data=form, files=files)
    return workflow_id


async def test_a_cluster_that_was_begun_is_registered_once(site: Site, replica: Replica) -> None:
    workflow_id = await killed(site, replica, but_do_it=True)

    async def is_done() -> bool:
        return any(event["payload"]["event"] == "results" for event in await site.bench.pump())

    await until(is_done)
    await end_leases(site.bench)
    await site.bench.reconcile()
    await site.bench.until(workflow_id, "completed")
    [cluster] = await site.listed()
    site.made.append(cluster["cluster_id"])
    assert cluster["status"] == "available"
    assert await site.bench.sql("select 1 from cluster_kubeconfig") == []


async def test_one_that_never_began_keeps_no_kubeconfig(site: Site, replica: Replica) -> None:
    workflow_id = await killed(site, replica)
    await end_leases(site.bench)
    await site.bench.reconcile()
    failed = await site.bench.get(workflow_id)
    assert (failed["status"], await site.listed()) == ("failed", [])
    assert "Interrupted" in failed["reason"]
    assert await site.bench.sql("select 1 from cluster_kubeconfig") == []
