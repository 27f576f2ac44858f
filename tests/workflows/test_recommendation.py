"""Which cluster suits a model best, as budsim finds it without anybody asking."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from budapp.commons.domain import components_of
from budapp.recommendation_ops.services import recommend
from budapp.workflow_ops.services import Workflows
from tests.cast import Cast
from tests.peers.conftest import StandIn
from tests.projects.data import messages
from tests.workflows.conftest import Bench
from tests.workflows.test_quantization import Ground, enter_cluster, ground
from tests.workflows.test_security_scan import added

__all__ = ["ground"]


async def work(bench: Bench) -> list[str]:
    """Begin what is due, and return the workflows."""
    await recommend(bench.database, components_of(bench.app)[Workflows])
    rows = await bench.sql("select id from workflow where workflow_type = 'cluster_recommendation' order by id")
    return [str(row[0]) for row in rows]


async def shown(bench: Bench, model_id: str) -> dict[str, Any] | None:
    listed = await bench.call("GET", "/models/?table_source=model&limit=100")
    [model] = [row["model"] for row in listed["models"] if row["id"] == model_id]
    detail = (await bench.call("GET", f"/models/{model_id}"))["model"]["model_cluster_recommended"]
    assert detail == model["model_cluster_recommended"]
    found: dict[str, Any] | None = detail
    return found


async def test_the_best_cluster_of_ones_own_is_shown(ground: Ground) -> None:
    bench = ground.bench
    await bench.sql("update cluster set cpu_total_workers = 8, cpu_available_workers = 2, gpu_available_workers = 0")
    assert await shown(bench, ground.model_id) is None
    [workflow_id] = await work(bench)
    await bench.until(workflow_id, "completed")
    found = await shown(bench, ground.model_id)
    assert found is not None
    assert (found["cluster"]["total_workers"], found["cluster"]["availability_percentage"]) == (8, 25.0)
    assert found["hardware_type"]
    assert found["cost_per_million_tokens"] > 0
    assert await work(bench) == [workflow_id], "it is good for a day"
    told = [body["payload"]["type"] for _, body in await messages(bench.database)]
    assert told == ["model_onboarding_success"], "nobody is told"


async def test_after_a_day_it_is_looked_for_again_and_replaced(ground: Ground) -> None:
    bench = ground.bench
    [first] = await work(bench)
    await bench.until(first, "completed")
    await bench.sql(f"update model set recommended_cluster_sync_at = now() - interval '{timedelta(hours=25)}'")
    await bench.sql("update model_cluster_recommended set cost_per_million_tokens = -1")
    second = (await work(bench))[-1]
    await bench.until(second, "completed")
    found = await shown(bench, ground.model_id)
    assert found is not None
    assert found["cost_per_million_tokens"] > 0


async def test_a_cluster_that_cannot_be_used_any_more_is_not_recommended(ground: Ground, cast: Cast) -> None:
    bench = ground.bench
    [first] = await work(bench)
    await bench.until(first, "completed")
    await bench.sql("update cluster set status = 'not_available'")
    await enter_cluster(bench, cast.admin)
    await bench.sql("update model set recommended_cluster_sync_at = null")
    second = (await work(bench))[-1]
    await bench.until(second, "completed")
    assert await shown(bench, ground.model_id) is None


async def test_without_clusters_nobody_is_asked(bench: Bench) -> None:
    await added(bench, "Tiny-lonely-1b")
    assert await work(bench) == []


@pytest.mark.parametrize("fault", [{"fail_at": "ranking"}, {"status": 500}], ids=str)
async def test_a_failure_is_kept_quiet_and_waits_for_the_next_day(
    ground: Ground, stand_in: Callable[[str], StandIn], fault: dict[str, Any]
) -> None:
    bench = ground.bench
    path = (await bench.call("GET", f"/models/{ground.model_id}"))["model"]["local_path"]
    await bench.sql("update model set local_path = :path", path=f"{path}-{ground.cluster_id}")
    await ground.budsim.does_wrong(f"{path}-{ground.cluster_id}", **fault)
    [workflow_id] = await work(bench)
    await bench.until(workflow_id, "failed")
    assert await work(bench) == [workflow_id]
    told = [body["payload"]["type"] for _, body in await messages(bench.database)]
    assert told == ["model_onboarding_success"]


async def test_a_deleted_model_gets_no_recommendation(ground: Ground) -> None:
    bench = ground.bench
    [workflow_id] = await work(bench)
    await bench.call("DELETE", f"/models/{ground.model_id}")
    await bench.until(workflow_id, "failed")
    assert await bench.sql("select * from model_cluster_recommended") == []
