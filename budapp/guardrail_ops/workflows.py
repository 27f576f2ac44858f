"""How guardrails are deployed: budpipeline brings in, simulates and deploys the models that they need, if any."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

from uuid_utils.compat import uuid7

from budapp.cluster_ops import services as clusters
from budapp.commons.access import Caller
from budapp.commons.database import ReadSession, WriteSession
from budapp.commons.errors import BadRequest, Conflict, NotFound, UnprocessableContent
from budapp.commons.integrity import conflict_on
from budapp.commons.scopes import Scope
from budapp.endpoint_ops.access import reach_endpoint
from budapp.endpoint_ops.models import EndpointStatus
from budapp.guardrail_ops import profile_crud
from budapp.guardrail_ops.models import GuardrailDeployment, GuardrailProfile, GuardrailRule, GuardrailRuleDeployment
from budapp.guardrail_ops.naming import name_objects
from budapp.guardrail_ops.profiles import (
    NAME_TAKEN,
    flush_name,
    reach_profile,
    require_selection,
    select_probes,
)
from budapp.guardrail_ops.recommended import intersect
from budapp.guardrail_ops.schemas import ProbeSelection
from budapp.guardrail_ops.selection import derived, effective_rules, rules_of_profile, slug, statuses
from budapp.guardrail_ops.services import require_moderator
from budapp.guardrail_ops.step_views import GuardrailSteps, ModelStatus
from budapp.guardrail_ops.workflow_schemas import GuardrailPost
from budapp.integrations import guardrail_pipelines as pipelines
from budapp.integrations.guardrail_pipelines import PipelineResult
from budapp.integrations.peers import Json, PeerCall, StepAnswer
from budapp.project_ops.services import require_project
from budapp.provider_credential_ops.services import require_credential
from budapp.workflow_ops.definitions import Definition, Events, Notice, Outcome, Run, Task

_DONE = "Guardrail profile successfully deployed."
_HUB = "huggingface"
_LOAD = ("concurrent_requests", "avg_sequence_length", "avg_context_length")
_TARGETS = ("ttft", "per_session_tokens_per_sec", "e2e_latency")


def _tries_again_before_the_end(run: Run) -> bool:
    """Tell whether what is tried again is not the deployment, for which less must have been said."""
    return not run.posted and run.workflow.reason is not None and "models_to_deploy" not in run.data


async def _check(session: WriteSession, caller: Caller, run: Run) -> None:
    data, again = run.data, _tries_again_before_the_end(run)
    if data.get("is_standalone") and data.get("endpoint_ids"):
        raise BadRequest("A guardrail is before endpoints or by itself, and not both", param="endpoint_ids")
    run.workflow.title = data.get("name") or GUARDRAIL.title
    provider = await require_moderator(session, UUID(data["provider_id"])) if data.get("provider_id") else None
    if provider is not None:
        run.workflow.icon = provider.icon
    if data.get("project_id"):
        await require_project(session, caller, UUID(data["project_id"]), Scope.ENDPOINT_MANAGE)
    rules = await _check_chosen(session, caller, run)
    await _check_endpoints(session, caller, run)
    is_new = bool(data.get("name")) and not data.get("guardrail_profile_id")
    if is_new and await profile_crud.name_taken(session, caller.tenant_id, data["name"]):
        raise Conflict(NAME_TAKEN, param="name")
    in_cloud = data.get("provider_type") == "cloud"
    if data.get("credential_id"):
        wanted = provider.type if provider is not None and in_cloud else _HUB
        await require_credential(session, caller.tenant_id, UUID(data["credential_id"]), wanted)
    if data.get("project_id") and rules is not None:
        found = await statuses(session, caller.tenant_id, UUID(data["project_id"]), rules)
        run.keep(**derived(found, in_cloud=in_cloud))
    if data.get("cluster_id"):
        await _check_capacity(session, run)
    if run.triggered and not again:
        _require_whole(run, in_cloud=in_cloud)
        await _plan_deployment(session, run)
    elif _starts_simulation(run.posted, run.triggered) and _models_to_deploy(data):
        _plan_simulation(run)


async def _check_chosen(session: ReadSession, caller: Caller, run: Run) -> list[GuardrailRule] | None:
    """Return the rules that are chosen; None where nothing is yet."""
    data = run.data
    if data.get("guardrail_profile_id"):
        profile = await reach_profile(session, caller, UUID(data["guardrail_profile_id"]))
        if data.get("project_id") not in (None, str(profile.project_id)):
            raise BadRequest("The profile belongs to another project", param="guardrail_profile_id")
        return await rules_of_profile(session, profile)
    if data.get("probe_selections"):
        chosen = [ProbeSelection.model_validate(one) for one in data["probe_selections"]]
        return effective_rules(chosen, await require_selection(session, caller.tenant_id, chosen))
    return None


async def _check_endpoints(session: ReadSession, caller: Caller, run: Run) -> None:
    ids = [UUID(one) for one in run.data.get("endpoint_ids") or ()]
    for endpoint_id in ids:
        endpoint = await reach_endpoint(session, caller, endpoint_id)
        if run.data.get("project_id") not in (None, str(endpoint.project_id)):
            raise BadRequest("The endpoint belongs to another project", param="endpoint_ids")
    taken = await profile_crud.guarded(session, ids) if ids else []
    if taken:
        raise BadRequest(
            f"There is a guardrail before {', '.join(taken)} already; remove it first", param="endpoint_ids"
        )


async def _check_capacity(session: ReadSession, run: Run) -> None:
    cluster = await clusters.require_available(session, run.workflow.tenant_id, UUID(run.data["cluster_id"]))
    if run.data.get("hardware_mode") == "shared":
        return
    free = cluster.cpu_available_workers + cluster.gpu_available_workers + cluster.hpu_available_workers
    needed = len(_models_to_deploy(run.data))
    if needed > free:
        raise BadRequest(
            f"Cluster capacity validation failed: {needed} models need a worker each, and {free} are free",
            param="cluster_id",
        )


def _require_whole(run: Run, *, in_cloud: bool) -> None:
    data = run.data
    needed = ["provider_type", "provider_id", "project_id"]
    if not data.get("guardrail_profile_id"):
        needed += ["probe_selections", "name", "guard_types", "severity_threshold"]
    if in_cloud:
        needed.append("credential_id")
    missing = [name for name in needed if data.get(name) in (None, "", [])]
    if not (data.get("endpoint_ids") or data.get("is_standalone")):
        missing.append("endpoint_ids or is_standalone")
    if missing:
        raise BadRequest(f"Missing required data: {', '.join(missing)}", param=missing[0].partition(" ")[0])
    if data.get("models_requiring_onboarding"):
        raise BadRequest("Models that the rules need are not in the repository yet; have them onboarded first")
    if _models_to_deploy(data) and not data.get("cluster_id"):
        raise BadRequest("No cluster specified for deployment", param="cluster_id")


def _statuses(data: Json) -> list[ModelStatus]:
    return [ModelStatus.model_validate(one) for one in data.get("model_statuses") or ()]


def _models_to_deploy(data: Json) -> list[ModelStatus]:
    return [one for one in _statuses(data) if one.requires_deployment]


async def _plan_deployment(session: ReadSession, run: Run) -> None:
    """Note what is deployed under which names, the largest first, and which deployments are used as they are."""
    data, found = run.data, _statuses(run.data)
    uris = [one.model_uri for one in found]
    models = await profile_crud.models_of_uris(session, run.workflow.tenant_id, uris)
    wanted = sorted(_models_to_deploy(data), key=lambda one: -(models[one.model_uri].model_size or 0))
    reused = [
        {"endpoint_id": str(one.endpoint_id), "rule_ids": [str(rule_id) for rule_id in one.rule_ids]}
        for one in found
        if one.can_reuse
    ]
    known = {one["model_uri"]: one for one in data.get("models_to_deploy") or ()}
    planned = []
    for number, one in enumerate(wanted, 1):
        name = f"{slug(one.model_name)[:50]}-guardrail-{uuid4().hex[:8]}"
        again = known.get(one.model_uri, {})
        planned.append(
            {
                "step_id": f"deploy-{number}-{slug(one.model_uri)}",
                "model_uri": one.model_uri,
                "model_id": str(one.model_id),
                "model_name": one.model_name,
                "endpoint_name": again.get("endpoint_name", name),
                "rule_ids": [str(rule_id) for rule_id in one.rule_ids],
            }
        )
    running = {"status": "running", "message": "Guardrails are being deployed"}
    names = ("name", "description", "severity_threshold", "guard_types", "tags", "probe_selections")
    where = ("is_standalone", "endpoint_ids", "credential_id", "guardrail_profile_id")
    pending = {name: data.get(name) for name in (*names, *where)}
    run.keep(
        models_to_deploy=planned,
        models_to_reuse=reused,
        pending_profile_data=pending,
        workflow_execution_status=running,
    )


def _starts_onboarding(posted: Json, triggered: bool) -> bool:
    return not triggered and ("credential_id" in posted or "is_standalone" in posted)


def _needs_onboarding(data: Json) -> bool:
    has_key = bool(data.get("credential_id")) or not data.get("credential_required")
    return bool(data.get("models_requiring_onboarding")) and has_key


def _onboarding_steps(data: Json) -> list[pipelines.PipelineStep]:
    wanted = [one for one in _statuses(data) if one.requires_onboarding]
    return [
        pipelines.onboard_step(
            f"onboard-{slug(one.model_uri)}",
            name=one.model_name,
            uri=one.model_uri,
            source="hugging_face",
            author=one.model_uri.partition("/")[0],
            credential_id=data.get("credential_id"),
        )
        for one in wanted
    ]


async def _ask_to_onboard(_session: ReadSession, run: Run) -> PeerCall:
    return pipelines.run("guardrail-model-onboarding", pipelines.ONBOARDING, _onboarding_steps(run.data))


async def _onboarded(session: WriteSession, run: Run, result: Any) -> Outcome:
    _require_success(result, "Model onboarding failed")
    project_id = UUID(run.data["project_id"])
    rules = [UUID(rule_id) for one in run.data["model_statuses"] for rule_id in one["rule_ids"]]
    known = await profile_crud.rules_of_ids(session, run.workflow.tenant_id, rules)
    found = await statuses(session, run.workflow.tenant_id, project_id, known)
    return Outcome(here=derived(found, in_cloud=run.data.get("provider_type") == "cloud"))


def _starts_simulation(posted: Json, triggered: bool) -> bool:
    return not triggered and "deploy_config" in posted


def _needs_deployment(data: Json) -> bool:
    return bool(data.get("models_requiring_deployment"))


def _plan_simulation(run: Run) -> None:
    if run.data.get("models_requiring_onboarding"):
        raise BadRequest("Models that the rules need are not in the repository yet; have them onboarded first")
    wanted = _models_to_deploy(run.data)
    mapping = {f"sim-{number}-{slug(one.model_uri)}": str(one.model_id) for number, one in enumerate(wanted, 1)}
    models = [{"model_id": str(one.model_id), "model_name": one.model_name} for one in wanted]
    run.keep(simulation_step_mapping=mapping, simulation_models=models)


def _simulation_steps(data: Json) -> list[pipelines.PipelineStep]:
    config, names = data["deploy_config"], {one["model_id"]: one["model_name"] for one in data["simulation_models"]}
    load: Json = {
        "input_tokens": config["avg_context_length"],
        "output_tokens": config["avg_sequence_length"],
        "concurrency": config["concurrent_requests"],
        "hardware_mode": data.get("hardware_mode") or "dedicated",
    }
    targets = {"ttft": "target_ttft", "e2e_latency": "target_e2e_latency"}
    targets["per_session_tokens_per_sec"] = "target_throughput_per_user"
    load |= {name: config[said][0] for said, name in targets.items() if config.get(said)}
    return [
        pipelines.simulate_step(step_id, name=names[model_id], params={"model_id": model_id, **load})
        for step_id, model_id in data["simulation_step_mapping"].items()
    ]


async def _ask_to_simulate(_session: ReadSession, run: Run) -> PeerCall:
    return pipelines.run("guardrail-cluster-recommendation", pipelines.SIMULATION, _simulation_steps(run.data))


async def _simulated(session: WriteSession, run: Run, result: Any) -> Outcome:
    _require_success(result, "Simulation failed")
    mapping = run.data["simulation_step_mapping"]
    sizes = await profile_crud.sizes_of(session, run.workflow.tenant_id, [UUID(one) for one in mapping.values()])
    outputs = PipelineResult.model_validate(result).outputs
    found = intersect(outputs, {step_id: sizes.get(UUID(model_id), 0) for step_id, model_id in mapping.items()})
    known = await clusters.available(session, run.workflow.tenant_id, [UUID(one["cluster_id"]) for one in found])
    ours = {str(cluster.cluster_id) for cluster in known}
    recommended = [one for one in found if one["cluster_id"] in ours]
    count = len(recommended)
    events = {**run.data["guardrail_simulation_events"], "recommended_cluster_count": count}
    message = f"Found Top {count} Clusters" if count else "Clusters Not Found"
    title, icon = run.workflow.title or GUARDRAIL.title, run.workflow.icon
    notice = Notice("recommended_cluster_success", title, message, ("workflow", run.workflow.id), icon)
    return Outcome(notice=notice, here={"recommended_clusters": recommended, "guardrail_simulation_events": events})


def _deployment_steps(data: Json) -> list[pipelines.PipelineStep]:
    config = data.get("deploy_config") or {}
    common: Json = {
        "project_id": data["project_id"],
        "cluster_id": data["cluster_id"],
        "hardware_mode": data.get("hardware_mode") or "dedicated",
        **{name: config[name] for name in (*_LOAD, *_TARGETS) if config.get(name) is not None},
    }
    if data.get("budaiscaler_specification"):
        common["budaiscaler_specification"] = data["budaiscaler_specification"]
    steps: list[pipelines.PipelineStep] = []
    for one in data["models_to_deploy"]:
        params = {"model_id": one["model_id"], "endpoint_name": one["endpoint_name"], **common}
        after = steps[-1].id if steps else None
        steps.append(pipelines.deploy_step(one["step_id"], name=one["model_name"], params=params, after=after))
    return steps


async def _ask_to_deploy(_session: ReadSession, run: Run) -> PeerCall:
    return pipelines.run("guardrail-model-deployment", pipelines.DEPLOYMENT, _deployment_steps(run.data))


async def _ask_nobody(_session: ReadSession, _run: Run) -> PeerCall | None:
    return None


async def _deployed(session: WriteSession, run: Run, result: Any) -> Outcome:
    _require_success(result, "Model deployment failed")
    return await _finish(session, run, result)


def _require_success(result: Any, reason: str) -> None:
    if not PipelineResult.model_validate(result).success:
        raise UnprocessableContent(reason)


async def _finish(session: WriteSession, run: Run, _answer: Any) -> Outcome:
    """Make the profile, if there is none, and its deployments; the gateway hears of them by that."""
    profile = await _profile(session, run)
    await _connect_models(session, run, profile)
    made = _deployments(run, profile)
    session.add_all(made)
    taken = Conflict("There is a guardrail before the endpoint already")
    with conflict_on("uq_guardrail_deployment_endpoint_id", taken):
        await session.flush()
    status = {"status": "success", "message": _DONE}
    listed = [{"id": str(one.id), "name": one.name, "status": one.status} for one in made]
    endpoints = [str(one.endpoint_id) for one in made if one.endpoint_id is not None]
    step = {
        "workflow_execution_status": status,
        "deployment": listed,
        "guardrail_profile_id": str(profile.id),
        "endpoint_ids": endpoints,
        "deployed_endpoint_ids": endpoints,
    }
    message = "Profile deployed for selected endpoint(s)"
    target = ("guardrail", profile.id)
    notice = Notice("guardrail_deployment_success", profile.name, message, target, run.workflow.icon)  # type: ignore[arg-type]
    return Outcome([step], notice, {"guardrail_profile_id": str(profile.id)})


async def _profile(session: WriteSession, run: Run) -> GuardrailProfile:
    data, workflow = run.data["pending_profile_data"], run.workflow
    if data.get("guardrail_profile_id"):
        found = await profile_crud.find_profile(session, workflow.tenant_id, UUID(data["guardrail_profile_id"]))
        if found is None:
            raise NotFound("The profile was deleted in the meantime")
        return found
    owned = {"tenant_id": workflow.tenant_id, "created_by": workflow.created_by}
    about = {name: data.get(name) for name in ("name", "description", "severity_threshold", "guard_types")}
    where = {"project_id": UUID(run.data["project_id"]), "tags": data.get("tags") or []}
    profile = GuardrailProfile(id=uuid7(), **about, **where, **owned)
    session.add(profile)
    await flush_name(session)
    chosen = [ProbeSelection.model_validate(one) for one in data["probe_selections"]]
    await select_probes(session, profile, chosen)
    return profile


async def _connect_models(session: WriteSession, run: Run, profile: GuardrailProfile) -> None:
    """Note which deployment each rule works with: those that were there, and those that were made for it."""
    planned = run.data.get("models_to_deploy") or []
    ids = [UUID(one["model_id"]) for one in planned]
    there = {one.name: one for one in await profile_crud.endpoints_of_models(session, profile.project_id, ids)}
    pairs = [(UUID(one["endpoint_id"]), one["rule_ids"]) for one in run.data.get("models_to_reuse") or []]
    for one in planned:
        endpoint = there.get(one["endpoint_name"])
        if endpoint is None or endpoint.status not in (EndpointStatus.RUNNING, EndpointStatus.UNHEALTHY):
            raise UnprocessableContent(f"The deployment of {one['model_name']} is not there")
        pairs.append((endpoint.id, one["rule_ids"]))
    known = await profile_crud.rule_deployments_of(session, profile.id)
    for endpoint_id, rule_ids in pairs:
        for rule_id in map(UUID, rule_ids):
            row = known.get(rule_id)
            if row is None:
                mine = {"tenant_id": profile.tenant_id, "profile_id": profile.id, "rule_id": rule_id}
                row = GuardrailRuleDeployment(**mine)
                session.add(row)
            row.endpoint_id = endpoint_id


def _deployments(run: Run, profile: GuardrailProfile) -> Sequence[GuardrailDeployment]:
    data, workflow = run.data["pending_profile_data"], run.workflow
    credential = UUID(data["credential_id"]) if data.get("credential_id") else None
    about = {"profile_id": profile.id, "project_id": profile.project_id, "credential_id": credential}
    owned = {"tenant_id": workflow.tenant_id, "created_by": workflow.created_by, "status": "running"}
    own = {"description": data.get("description"), "name": data.get("name") or profile.name}
    if data.get("is_standalone"):
        return [GuardrailDeployment(id=uuid7(), **about, **owned, **own)]
    endpoints = [UUID(one) for one in data["endpoint_ids"]]
    return [GuardrailDeployment(id=uuid7(), endpoint_id=one, **about, **owned, **own) for one in endpoints]


def _named(steps: Sequence[pipelines.PipelineStep]) -> list[StepAnswer]:
    return [one.answer() for one in steps]


ONBOARD = Task(
    name="onboarding",
    begins=_starts_onboarding,
    applies=_needs_onboarding,
    completes=False,
    needs=("project_id",),
    request=_ask_to_onboard,
    results=_onboarded,
    events=Events(
        key="guardrail_onboarding_events",
        type=pipelines.ONBOARDING,
        steps=(),
        steps_for=lambda data: _named(_onboarding_steps(data)),
    ),
)
SIMULATE = Task(
    name="simulation",
    begins=_starts_simulation,
    applies=_needs_deployment,
    completes=False,
    needs=("project_id", "deploy_config"),
    request=_ask_to_simulate,
    results=_simulated,
    events=Events(
        key="guardrail_simulation_events",
        type=pipelines.SIMULATION,
        steps=(),
        steps_for=lambda data: _named(_simulation_steps(data)),
    ),
)
DEPLOY = Task(
    name="deployment",
    applies=_needs_deployment,
    needs=("project_id", "cluster_id", "models_to_deploy"),
    request=_ask_to_deploy,
    results=_deployed,
    events=Events(
        key="guardrail_deployment_events",
        type=pipelines.DEPLOYMENT,
        steps=(),
        steps_for=lambda data: _named(_deployment_steps(data)),
    ),
)
FINISH = Task(name="finish", needs=("project_id", "pending_profile_data"), request=_ask_nobody, results=_finish)

GUARDRAIL = Definition(
    type="guardrail_deployment",
    scope=Scope.MODEL_MANAGE,
    title="Guardrail deployment",
    tag="Guardrails",
    cancelled="Successfully cancelled the guardrail deployment.",
    refusal="Unable to deploy the guardrail",
    fields=GuardrailPost.step_fields(),
    shows=GuardrailSteps,
    unshown=("project_id", "cluster_id", "budaiscaler_specification", "deployment_type"),
    name_objects=name_objects,
    check=_check,
    tasks=(ONBOARD, SIMULATE, DEPLOY, FINISH),
)
