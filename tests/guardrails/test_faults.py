"""Guardrails whose models are being deployed, while budpipeline, its events or budapp itself go wrong."""

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest

from budapp.commons.config import Settings
from tests.cast import Cast
from tests.guardrails.conftest import DEPLOY, Fort
from tests.guardrails.test_deploy import INJECTION
from tests.replicas import Replica, running_replica
from tests.workflows.conftest import Json
from tests.workflows.killing import end_leases, killed_while_it_asks
from tests.workflows.test_quantization import enter_cluster


@dataclass
class Site:
    """A guardrail that is ready to be deployed with its model."""

    fort: Fort
    workflow_id: str
    cluster_id: str
    model_id: str

    @property
    def trigger(self) -> Json:
        """The body of the step that begins it."""
        return {"step_number": 10, "cluster_id": self.cluster_id, "trigger_workflow": True}

    async def deploy(self) -> None:
        await self.fort.step(10, self.workflow_id, cluster_id=self.cluster_id, trigger_workflow=True)
        await self.put_in_planned()

    async def put_in_planned(self) -> None:
        """Put in the deployment that budpipeline is to bring about."""
        [planned] = (await self.fort.bench.get(self.workflow_id))["workflow_steps"]["models_to_deploy"]
        await self.fort.put_in_endpoint(planned["endpoint_name"], self.model_id, url="http://127.0.0.1:9")

    async def counts(self) -> tuple[int, int]:
        """How many profiles there are, and how many guardrails are at work."""
        profiles = await self.fort.bench.sql("select count(*) from guardrail_profile")
        working = await self.fort.bench.sql("select count(*) from guardrail_deployment where status = 'running'")
        return profiles[0][0], working[0][0]


@pytest.fixture
async def site(fort: Fort, cast: Cast) -> Site:
    assert fort.budpipeline.wrongs == set()
    cluster_id = await enter_cluster(fort.bench, cast.admin)
    await fort.bench.sql("update cluster set gpu_available_workers = 6")
    model_id = await fort.put_in_model()
    return Site(fort, await fort.drafted(INJECTION), cluster_id, model_id)


async def test_a_deployment_that_fails_leaves_no_guardrail_and_can_be_tried_again(site: Site) -> None:
    bench = site.fort.bench
    await site.fort.budpipeline.does_wrong(site.workflow_id, times=1, fail_at="1", message="No GPU left")
    await site.deploy()
    failed = await bench.until(site.workflow_id, "failed")
    assert (failed["reason"], await site.counts()) == ("No GPU left", (0, 0))
    await bench.post(f"/workflows/{site.workflow_id}/retry")
    await bench.until(site.workflow_id, "completed")
    assert await site.counts() == (1, 1)


async def test_a_pipeline_that_falls_silent_leaves_no_guardrail(site: Site) -> None:
    bench = site.fort.bench
    await site.fort.budpipeline.does_wrong(site.workflow_id, silent_from="1")
    await site.deploy()
    await bench.sql("update workflow_attempt set deadline_at = now() - interval '1 second'")
    await bench.reconcile()
    failed = await bench.get(site.workflow_id)
    assert (failed["status"], await site.counts()) == ("failed", (0, 0))
    assert "not been heard of" in failed["reason"]


async def test_repeated_events_make_one_guardrail(site: Site) -> None:
    bench = site.fort.bench
    await site.fort.budpipeline.does_wrong(site.workflow_id, duplicate="publish", event_delay_seconds=0.1)
    await site.deploy()
    await bench.until(site.workflow_id, "completed")
    for event in list(bench.seen):
        await bench.deliver(event)
    assert ((await bench.get(site.workflow_id))["status"], await site.counts()) == ("completed", (1, 1))


async def test_results_that_come_first_complete_it(site: Site) -> None:
    bench = site.fort.bench
    await site.fort.budpipeline.does_wrong(site.workflow_id, event_delay_seconds=0.1)
    await site.deploy()
    for event in reversed(await bench.until_told(4, "results")):
        await bench.deliver(event)
    done = await bench.get(site.workflow_id)
    assert (done["status"], await site.counts()) == ("completed", (1, 1))
    [step] = done["workflow_steps"]["guardrail_deployment_events"]["steps"]
    assert step["payload"]["content"]["status"] == "COMPLETED"


async def test_a_cancelled_deployment_leaves_no_guardrail(site: Site) -> None:
    bench = site.fort.bench
    await site.fort.budpipeline.does_wrong(site.workflow_id, event_delay_seconds=0.2)
    await site.deploy()
    await bench.call("DELETE", f"/workflows/{site.workflow_id}")
    await bench.until_told(4, "results")
    await bench.pump()
    assert await site.counts() == (0, 0)
    await site.fort.step(6, (await site.fort.step(1))["workflow_id"], endpoint_ids=[site.fort.endpoints[0]])


@pytest.fixture
async def replica(site: Site, settings: Settings) -> Any:
    async with running_replica(settings) as found:
        yield found


async def test_a_process_that_is_killed_while_it_asks_leaves_a_guardrail_that_comes(
    site: Site, replica: Replica
) -> None:
    bench = site.fort.bench
    await site.fort.budpipeline.does_wrong(site.workflow_id, hang=True, but_do_it=True)
    body = {**site.trigger, "workflow_id": site.workflow_id}
    await killed_while_it_asks(bench, replica, DEPLOY, site.workflow_id, site.fort.budpipeline, **body)
    await asyncio.gather(end_leases(bench), bench.until_told(1))
    await site.put_in_planned()
    await bench.reconcile()
    await site.fort.budpipeline.behave()
    state = await bench.get(site.workflow_id)
    if state["status"] == "failed":
        await bench.post(f"/workflows/{site.workflow_id}/retry")
    await bench.until(site.workflow_id, "completed")
    assert await site.counts() == (1, 1)
