"""The main path, walked as budadmin walks it: its calls, in its order, on the running stack.

Wizards advance by the socket alone.
"""

import asyncio
from uuid import uuid4

import pytest

from tests.clusters.kubeconfigs import config, dumped
from tests.frontend import pages
from tests.frontend.conftest import Open
from tests.frontend.window import Json, Refused, Window
from tests.frontend.wizard import Wizard

pytestmark = pytest.mark.timeout(180)

PASSWORD = "Own-Horse@7"
OF_TEMPLATE = ("avg_sequence_length", "avg_context_length", "per_session_tokens_per_sec", "ttft", "e2e_latency")


def fresh(word: str) -> str:
    return f"{word} {uuid4().hex[:8]}"


async def invited(window: Window, role: str = "developer", **more: object) -> Json:
    """Add a user as the drawer does, which makes the password up; return the form."""
    email, password = f"{uuid4().hex}@example.com", "Handed-0ver@1"
    form: Json = {"name": "Robin", "email": email, "password": password, "role": role, "user_type": "admin"}
    scopes = ("model:view", "model:manage", "project:view", "project:manage", "cluster:view", "cluster:manage")
    form["permissions"] = [{"name": scope, "has_permission": scope.endswith(":view")} for scope in scopes]
    await window.post("/users/", form | more)
    return form


async def joined(window: Window, open_window: Open) -> tuple[Window, Json]:
    """Have somebody added, and sign in for the first time; return their window and who they are."""
    form = await invited(window)
    theirs = open_window()
    answer = await theirs.sign_in(form["email"], form["password"])
    assert answer["is_reset_password"] or answer["first_login"]
    me = (await theirs.get("/users/me"))["user"]
    await theirs.get("/users/me/permissions")
    await theirs.patch(f"/users/{me['id']}", {"password": PASSWORD})
    await theirs.open_page()
    return theirs, me | {"email": form["email"]}


async def test_who_was_added_chooses_a_password_and_gets_to_the_dashboard(window: Window, open_window: Open) -> None:
    theirs, me = await joined(window, open_window)
    assert (await pages.dashboard(theirs))["total_projects"] == 0
    again = open_window()
    answer = await again.sign_in(me["email"], PASSWORD)
    assert (answer["is_reset_password"], answer["first_login"]) == (False, False)
    assert theirs.toasts == again.toasts == []


async def test_a_wrong_password_is_shown_beside_the_form(open_window: Open, administrator: tuple[str, str]) -> None:
    window = open_window()
    with pytest.raises(Refused, match="Incorrect"):
        await window.sign_in(administrator[0], "Wrong-Horse@1")
    assert window.calls == ["POST /auth/login"], "a 401 would have asked for fresh tokens"


async def test_a_token_that_ran_out_is_renewed_once_for_all_that_wait(window: Window) -> None:
    window.storage["access_token"] += "x"
    await asyncio.gather(*(window.get("/projects/", page=page, limit=1) for page in range(1, 7)))
    assert window.calls.count("POST /auth/refresh-token") == 1
    await window.get("/users/me")


async def test_after_signing_out_nothing_is_answered_and_nothing_renewed(window: Window, open_window: Open) -> None:
    left = open_window()
    left.storage = dict(window.storage)
    await window.sign_out()
    with pytest.raises(Refused, match="Sign in again"):
        await left.get("/users/me")
    assert left.storage == {}


async def created(window: Window, **more: object) -> Json:
    tags = [{"name": "walk", "color": "#965CDE"}]
    form = {"name": fresh("Walk"), "description": "Walked", "tags": tags, "icon": "🚶", **more}
    made: Json = (await window.post("/projects/", form))["project"]
    assert made["id"] in [one["id"] for one in await pages.projects(window)]
    return made


async def test_a_member_is_invited_sees_the_project_and_loses_it_with_the_membership(
    window: Window, open_window: Open
) -> None:
    project = await created(window)
    theirs, me = await joined(window, open_window)
    await window.get("/users/", page=1, limit=10000, user_type="admin")
    await window.post(
        f"/projects/{project['id']}/add-users",
        {"users": [{"user_id": me["id"], "scopes": ["endpoint:view", "project:view"]}]},
    )
    shown = await window.get(f"/projects/{project['id']}/users", page=1, limit=10000, search=False)
    assert {one["id"] for one in shown["users"]} >= {me["id"]}
    assert [one["id"] for one in await pages.projects(theirs)] == [project["id"]]
    heard = await theirs.hears()
    assert (heard["category"], heard["type"]) == ("inapp", "project_invitation_success")
    await window.post(f"/projects/{project['id']}/remove-users", {"user_ids": [me["id"]]})
    assert await pages.projects(theirs) == []
    await window.patch(f"/projects/{project['id']}", {"name": fresh("Walked"), "description": "", "icon": "🚶"})
    await window.delete(f"/projects/{project['id']}")
    assert window.toasts == theirs.toasts == []


async def test_what_one_may_not_do_is_a_toast_and_nothing_else(window: Window, open_window: Open) -> None:
    theirs, _ = await joined(window, open_window)
    assert await theirs.post("/clusters/cancel-onboarding", {"workflow_id": str(uuid4())}) == {}
    assert theirs.toasts == ["Permission required: cluster:manage"]


async def cloud_model(window: Window) -> Json:
    """Add a cloud model of the catalog that the tenant does not have yet; the last answer ends it."""
    provider = next(
        one
        for one in (await window.get("/models/providers", page=1, limit=100, capabilities="model"))["providers"]
        if one["type"] == "openai"
    )
    drawer = Wizard(window, "/models/cloud-model-workflow")
    await drawer.step(2, workflow_total_steps=5, provider_type="cloud_model", add_model_modality=["llm", "mllm"])
    await drawer.step(3, provider_id=provider["id"])
    query: Json = {
        "page": 1,
        "limit": 100,
        "table_source": "cloud_model",
        "source": "openai",
        "order_by": "-created_at",
    }
    offers = [one["model"] for one in (await window.get("/models/", **query))["models"]]
    offer = next(one for one in offers if not one["is_present_in_model"] and "gpt" in one["name"])
    await drawer.step(4, cloud_model_id=offer["id"])
    about = {"name": fresh("GPT"), "tags": [{"name": "walk", "color": "#965CDE"}], "modality": offer["modality"]}
    await drawer.step(5, trigger_workflow=True, **about)
    assert drawer.steps["workflow_execution_status"]["status"] == "success"
    return next(one for one in await pages.models(window) if one["name"] == about["name"])


async def provider_key(window: Window, provider: Json) -> str:
    await window.get("/proprietary/credentials/provider-info", provider_name=provider["type"])
    form = {"name": fresh("Key"), "type": provider["type"], "provider_id": provider["id"]}
    await window.post("/proprietary/credentials/", form | {"other_provider_creds": {"api_key": f"sk-{uuid4().hex}"}})
    listed = await window.get("/proprietary/credentials/", page=1, limit=10000, type=provider["type"])
    return next(str(one["id"]) for one in listed["credentials"] if one["name"] == form["name"])


async def test_a_cloud_model_is_added_deployed_and_taken_down(window: Window) -> None:
    model = await cloud_model(window)
    try:
        project = await created(window)
        key = await provider_key(window, model["provider"])
        drawer = Wizard(window, "/models/deploy-workflow", project["id"])
        await drawer.step(1, workflow_total_steps=8, project_id=project["id"], model_id=model["id"])
        await drawer.step(2, credential_id=key)
        template = (await window.get("/templates", page=1, limit=100))["templates"][0]
        await drawer.step(3, template_id=template["id"])
        name = f"gpt-{uuid4().hex[:8]}"
        load = {"concurrent_requests": 10}
        load |= {name: template[name] for name in ("avg_sequence_length", "avg_context_length")}
        await drawer.step(4, endpoint_name=name, deploy_config=load, trigger_workflow=True)
        [endpoint] = await pages.endpoints(window, project["id"])
        assert (endpoint["name"], endpoint["status"]) == (name, "running")
        await pages.endpoint(window, project["id"], endpoint["id"])
        await deleted(window, project["id"], endpoint["id"])
        await window.delete(f"/proprietary/credentials/{key}")
        await window.delete(f"/projects/{project['id']}")
    finally:
        await window.delete(f"/models/{model['id']}")
    assert window.toasts == []


async def hub_model(window: Window, name: str) -> Json:
    """Add a model of the hub, and watch it come."""
    drawer = Wizard(window, "/models/local-model-workflow")
    begin = {"workflow_total_steps": 3, "provider_type": "hugging_face", "add_model_modality": ["llm"]}
    await drawer.step(1, **begin)
    about: Json = {"name": name, "uri": f"acme/{name}", "author": "acme", "tags": [], "icon": None}
    await drawer.step(2, **about)
    await drawer.step(3, trigger_workflow=True)
    statuses = await drawer.finishes("model_extraction_events", "perform_model_extraction")
    assert set(statuses.values()) == {"COMPLETED"}
    model = next(one for one in await pages.models(window) if one["name"] == name)
    shown = await window.get(f"/models/{model['id']}")
    assert shown["model"]["id"] == model["id"]
    return model


async def onboarded(window: Window) -> Json:
    """Register a cluster by its kubeconfig, and watch it come."""
    name = fresh("Lab")
    form = {"step_number": "1", "workflow_total_steps": "3", "trigger_workflow": "true", "name": name, "icon": "🧪"}
    form["ingress_url"] = f"https://{uuid4().hex}.example.com"
    files = {"configuration_file": ("lab.yaml", dumped(config()))}
    begun = await window.send_form("POST", "/clusters/clusters", form, files)
    drawer = Wizard(window, "/clusters/clusters")
    await drawer.read(begun["workflow_id"])
    statuses = await drawer.finishes("create_cluster_events", "register_cluster")
    assert set(statuses.values()) == {"COMPLETED"}
    cluster = next(one for one in await pages.clusters(window) if one["name"] == name)
    await pages.cluster(window, cluster["id"])
    return cluster


async def deployed(window: Window, project_id: str, model: Json, cluster: Json) -> Json:
    """Deploy the model on the cluster: templates, simulation, recommendations, scaling."""
    drawer = Wizard(window, "/models/deploy-workflow", project_id)
    first = {"workflow_total_steps": 8, "project_id": project_id, "model_id": model["id"]}
    await drawer.step(1, hardware_mode="dedicated", **first)
    await drawer.step(2, hardware_mode="dedicated")
    template = (await window.get("/templates", page=1, limit=100))["templates"][0]
    await drawer.step(3, template_id=template["id"])
    load = {"concurrent_requests": 10} | {name: template[name] for name in OF_TEMPLATE}
    name = f"walk-{uuid4().hex[:8]}"
    await drawer.step(4, endpoint_name=name, deploy_config=load, enable_tool_calling=True, enable_reasoning=False)
    await drawer.finishes("bud_simulator_events", "get_cluster_recommendations")
    found = (await window.get(f"/clusters/recommended/{drawer.workflow_id}"))["clusters"]
    [chosen] = [one for one in found if one["id"] == cluster["id"]]
    assert chosen["benchmarks"]["replicas"] is not None
    await drawer.step(6, cluster_id=chosen["cluster_id"], tool_calling_parser_type="hermes", supports_lora=True)
    await drawer.step(7, enable_tool_calling=True)
    scaler = {"enabled": True, "minReplicas": 1, "maxReplicas": 3}
    await drawer.step(8, budaiscaler_specification=scaler, trigger_workflow=True)
    statuses = await drawer.finishes("budserve_cluster_events", "deploy_model")
    assert set(statuses.values()) == {"COMPLETED"}
    endpoint = next(one for one in await pages.endpoints(window, project_id) if one["name"] == name)
    assert endpoint["status"] == "running"
    return endpoint


async def key_for(window: Window, project_id: str) -> str:
    """Create a key for the project, and find it in the list, as the page does."""
    answer = await window.post(
        "/credentials/", {"name": fresh("Key"), "project_id": project_id, "expiry": "30", "max_budget": "10"}
    )
    assert answer["success"] is True
    key = answer["result"]["id"]
    assert key in [one["id"] for one in await pages.keys(window, project_id)]
    return str(key)


async def published(window: Window, endpoint_id: str) -> None:
    pricing = {"input_cost": 0.2, "output_cost": 0.6, "currency": "USD", "per_tokens": 1000}
    await window.put(f"/endpoints/{endpoint_id}/publish", {"action": "publish", "pricing": pricing})
    history = await window.get(f"/endpoints/{endpoint_id}/pricing/history", page=1, limit=10)
    assert history["total_record"] == 1


async def worker_added(window: Window, project_id: str, endpoint_id: str) -> None:
    path = f"/endpoints/{endpoint_id}/workers"
    before = (await window.get(path, project_id=project_id))["workers"]
    drawer = Wizard(window, "/endpoints/add-worker", project_id)
    await drawer.step(1, workflow_total_steps=5, endpoint_id=endpoint_id, additional_concurrency=5)
    await drawer.finishes("bud_simulator_events", "get_cluster_recommendations")
    await drawer.step(4, trigger_workflow=True)
    await drawer.finishes("budserve_cluster_events", None)
    after = (await window.get(path, project_id=project_id))["workers"]
    assert len(after) > len(before)
    shown = await window.get(f"{path}/{after[0]['id']}", reload=False, project_id=project_id)
    assert shown["worker"]["id"] == after[0]["id"]


async def adapter_added(window: Window, project_id: str, endpoint_id: str, model_id: str) -> None:
    drawer = Wizard(window, "/endpoints/add-adapter", project_id)
    await drawer.step(1, workflow_total_steps=4, endpoint_id=endpoint_id, adapter_model_id=model_id)
    name = f"polite-{uuid4().hex[:8]}"
    await drawer.step(2, adapter_name=name, trigger_workflow=True)
    statuses = await drawer.finishes("adapter_deployment_events", "add_adapter")
    assert set(statuses.values()) == {"COMPLETED"}
    shown = await window.get(f"/endpoints/{endpoint_id}/adapters", page=1, limit=10, project_id=project_id)
    assert [one["name"] for one in shown["adapters"]] == [name]


async def deleted(window: Window, project_id: str, endpoint_id: str) -> None:
    """Delete a deployment; one of a cloud model is gone at once, without anything to watch."""
    begun = await window.post(f"/endpoints/{endpoint_id}/delete-workflow", project_id=project_id)
    drawer = Wizard(window, "/endpoints", project_id)
    await drawer.read(begun["workflow_id"])
    if drawer.steps["delete_endpoint_events"]:
        await drawer.finishes("delete_endpoint_events", None)
    assert endpoint_id not in [one["id"] for one in await pages.endpoints(window, project_id)]


async def test_a_model_of_the_hub_is_deployed_on_a_cluster_used_and_taken_down(window: Window) -> None:
    project = await created(window)
    model = await hub_model(window, f"Tiny-llama-{uuid4().hex[:8]}-1b")
    cluster = await onboarded(window)
    endpoint = await deployed(window, project["id"], model, cluster)
    detail = await pages.endpoint(window, project["id"], endpoint["id"])
    assert (detail["model"]["id"], detail["cluster"]["id"]) == (model["id"], cluster["id"])
    key = await key_for(window, project["id"])
    await published(window, endpoint["id"])
    await worker_added(window, project["id"], endpoint["id"])
    lora = await hub_model(window, f"{model['name']}-lora")
    await adapter_added(window, project["id"], endpoint["id"], lora["id"])
    counts = await pages.dashboard(window)
    assert counts["running_endpoints_count"] >= 1
    await deleted(window, project["id"], endpoint["id"])
    begun = await window.post(f"/clusters/{cluster['id']}/delete-workflow")
    drawer = Wizard(window, "/clusters")
    await drawer.read(begun["workflow_id"])
    await drawer.finishes("delete_cluster_events", None)
    assert cluster["id"] not in [one["id"] for one in await pages.clusters(window)]
    await window.delete(f"/credentials/{key}")
    await window.delete(f"/projects/{project['id']}")
    for one in (lora, model):
        await window.delete(f"/models/{one['id']}")
    assert window.toasts == []


async def test_a_deployment_that_is_left_is_resumed_where_it_was_and_cancelled(window: Window) -> None:
    project = await created(window)
    model = await hub_model(window, f"Tiny-llama-{uuid4().hex[:8]}-1b")
    drawer = Wizard(window, "/models/deploy-workflow", project["id"])
    first = {"workflow_total_steps": 8, "project_id": project["id"], "model_id": model["id"]}
    await drawer.step(1, hardware_mode="dedicated", **first)
    listed = (await window.get("/workflows", order_by="-modified_at"))["workflows"]
    mine = next(one for one in listed if one["id"] == drawer.workflow_id)
    assert (mine["workflow_type"], mine["current_step"]) == ("model_deployment", 1)
    resumed = Wizard(window, drawer.path, project["id"])
    await resumed.read(mine["id"])
    assert resumed.steps["model"]["id"] == model["id"]
    await window.delete(f"/workflows/{mine['id']}")
    listed = (await window.get("/workflows", order_by="-modified_at"))["workflows"]
    assert mine["id"] not in [one["id"] for one in listed]
    await window.delete(f"/models/{model['id']}")
    await window.delete(f"/projects/{project['id']}")
