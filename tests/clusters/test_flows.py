"""A cluster's life: onboarded, listed, told of, deleted."""

from tests.clusters.conftest import Site
from tests.clusters.kubeconfigs import config, dumped
from tests.projects.data import messages


async def test_a_cluster_comes_is_told_of_and_goes(site: Site) -> None:
    begun = await site.onboard(name="Lab")
    assert (begun["current_step"], begun["total_steps"], begun["status"]) == (2, 3, "in_progress")
    steps = begun["workflow_steps"]
    assert [step["id"] for step in steps["create_cluster_events"]["steps"]] == [
        "determine_cluster_platform",
        "check_duplicate_config",
        "verify_cluster_connection",
        "configure_cluster",
        "fetch_cluster_info",
    ]
    done = await site.bench.until(begun["workflow_id"], "completed")
    steps = done["workflow_steps"]
    assert {step["payload"]["content"]["status"] for step in steps["create_cluster_events"]["steps"]} == {"COMPLETED"}
    assert (steps["workflow_execution_status"]["status"], steps["cluster"]["name"]) == ("success", "Lab")
    assert done["current_step"] == 3

    [cluster] = await site.listed()
    site.made.append(cluster["cluster_id"])
    assert cluster["id"] == steps["cluster"]["id"]
    assert (cluster["status"], cluster["icon"], cluster["cluster_type"]) == ("available", "🚀", "ON_PREM")
    assert (cluster["hardware_type"], cluster["total_nodes"], cluster["available_nodes"]) == (["CPU", "GPU"], 2, 2)
    assert (cluster["gpu_count"], cluster["gpu_total_workers"], cluster["gpu_available_workers"]) == (2, 8, 8)
    assert cluster["total_endpoints_count"] == cluster["running_endpoints_count"] == 0
    assert await site.get(cluster["id"]) == cluster

    await site.control("PUT", f"{cluster['cluster_id']}/nodes/node-2", {"status": False})
    await site.tell(cluster)
    told = await site.get(cluster["id"])
    assert (told["available_nodes"], told["gpu_total_workers"], told["gpu_available_workers"]) == (1, 8, 4)
    assert told["status_sync_at"] is not None

    going = await site.delete(cluster["id"])
    assert (await site.get(cluster["id"]))["status"] == "deleting"
    await site.bench.until(going["workflow_id"], "completed")
    assert await site.listed() == []
    await site.bench.call("GET", f"/clusters/{cluster['id']}", 404)
    sent = [payload for _, payload in await messages(site.bench.database) if "payload" in payload]
    assert {"cluster_onboarding_success", "cluster_deletion_success"} <= {one["payload"]["type"] for one in sent}


async def test_the_kubeconfig_is_sealed_never_shown_and_gone_once_budcluster_has_it(site: Site) -> None:
    bench = site.bench
    document = config(token="very-secret-token")
    first = await site.post(file=dumped(document), step_number=1, workflow_total_steps=3, name="Lab", icon="i")
    workflow_id = first["workflow_id"]
    [row] = await bench.sql("select content_encrypted from cluster_kubeconfig")
    assert "very-secret-token" not in row[0]
    stored = await bench.sql("select data::text from workflow_step union all select new_state::text from audit_trail")
    assert not any("very-secret" in (one[0] or "") for one in stored)
    assert "very-secret" not in str(await bench.get(workflow_id))

    again = {"step_number": 2, "workflow_id": workflow_id, "ingress_url": "https://in.example.com"}
    await site.post(**again, trigger_workflow="true")
    assert await bench.sql("select 1 from cluster_kubeconfig") == []
    [asked] = await site.budcluster.requests(workflow_id)
    assert "very-secret-token" in asked["body"]
    assert document["clusters"][0]["cluster"]["server"] in asked["body"]
    done = await bench.until(workflow_id, "completed")
    site.made.append((await site.get(done["workflow_steps"]["cluster"]["id"]))["cluster_id"])
    assert "very-secret" not in str(done)
