"""How clusters come and go: budcluster registers and deletes them, and tells how it goes."""

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from budapp.cloud_provider_ops import services as clouds
from budapp.cluster_ops import crud, hooks, services
from budapp.cluster_ops.models import Cluster, ClusterStatus, ClusterType, Kubeconfig
from budapp.cluster_ops.schemas import ClusterDeletionPost, ClusterPost
from budapp.cluster_ops.status import counts_of
from budapp.cluster_ops.step_views import ClusterSteps
from budapp.commons.access import Caller
from budapp.commons.database import ReadSession, WriteSession, now
from budapp.commons.encrypted_columns import seal, unseal
from budapp.commons.encryption import Encryption
from budapp.commons.errors import BadRequest, NotFound
from budapp.commons.hooks import hooks_of
from budapp.commons.integrity import conflict_on
from budapp.commons.scopes import Scope
from budapp.events.outbox import enqueue_call
from budapp.integrations import budcluster
from budapp.integrations.budcluster import CLOUD_STEPS, ON_PREMISES_STEPS, RegisteredCluster
from budapp.integrations.peers import Json, PeerCall, StepAnswer
from budapp.workflow_ops.definitions import Definition, Events, Notice, Outcome, Run, Task

_NOT_KEPT = "The kubeconfig is not kept once budcluster has it, or the workflow has ended: onboard the cluster anew"


async def _check(session: WriteSession, caller: Caller, run: Run) -> None:
    workflow = run.workflow
    if run.data.get("name"):
        await services.check_name_free(session, caller.tenant_id, run.data["name"])
        workflow.title = run.data["name"]
    workflow.icon = run.data.get("icon") or workflow.icon
    ids = {name: _uuid(run.data.get(name)) for name in ("provider_id", "credential_id")}
    await clouds.check_choice(session, caller, region=run.data.get("region"), **ids)
    content = run.data.pop("configuration_yaml", None)
    run.posted.pop("configuration_yaml", None)
    if content is not None:
        await _keep(session, run, content)
    if run.posted:
        run.keep(cluster_type=run.data.get("cluster_type", ClusterType.ON_PREM))


async def _keep(session: WriteSession, run: Run, content: str) -> None:
    """Seal the kubeconfig in a row of its own: steps are shown, and read by everyone who may see the workflow."""
    workflow = run.workflow
    kept = await crud.kubeconfig_of(session, workflow.id)
    if kept is None:
        kept = Kubeconfig(tenant_id=workflow.tenant_id, workflow_id=workflow.id)
        session.add(kept)
    encryption: Encryption = session.info["encryption"]
    seal(encryption, kept, Kubeconfig.content_encrypted, content)


async def _register(session: ReadSession, run: Run) -> PeerCall:
    if run.data["cluster_type"] == ClusterType.CLOUD:
        return await _register_in_cloud(session, run.data, run.workflow.tenant_id)
    return await _register_on_premises(session, run)


async def _register_in_cloud(session: ReadSession, data: Json, tenant_id: UUID) -> PeerCall:
    missing = [name for name in ("credential_id", "provider_id", "region") if not data.get(name)]
    if missing:
        needed = "credential_id, provider_id, and region are required for CLOUD cluster creation"
        raise BadRequest(needed, param=missing[0])
    access = await clouds.open_access(session, tenant_id, UUID(data["credential_id"]))
    cloud = {"credential_id": access.credential_id, "provider_id": access.provider_id}
    cloud["cloud_provider_unique_id"] = access.provider
    return budcluster.register_cloud_cluster(
        name=data["name"], region=data["region"], cloud=cloud, credentials=access.credentials
    )


async def _register_on_premises(session: ReadSession, run: Run) -> PeerCall:
    data = run.data
    if not data.get("ingress_url"):
        raise BadRequest("Missing required data: ingress_url", param="ingress_url")
    kept = await crud.kubeconfig_of(session, run.workflow.id)
    if kept is None:
        again = data.get("create_cluster_events") is not None or run.workflow.reason is not None
        missing = _NOT_KEPT if again or data.get("server") else "Missing required data: configuration_file"
        raise BadRequest(missing, param="configuration_file")
    encryption: Encryption = session.info["encryption"]
    text = unseal(encryption, kept, Kubeconfig.content_encrypted)
    return budcluster.register_cluster(name=data["name"], ingress_url=data["ingress_url"], kubeconfig=text)


async def _add_cluster(session: WriteSession, run: Run, result: Any) -> Outcome:
    registered = RegisteredCluster.model_validate(result)
    cluster = Cluster(
        id=uuid7(),
        tenant_id=run.workflow.tenant_id,
        created_by=run.workflow.created_by,
        cluster_id=registered.id,
        status=ClusterStatus.AVAILABLE,
        status_sync_at=None,
        cloud_provider_id=_uuid(run.data.get("provider_id")),
        credential_id=_uuid(run.data.get("credential_id")),
        **{name: run.data.get(name) for name in ("name", "icon", "ingress_url", "cluster_type", "region")},
        **counts_of(registered.nodes),
    )
    session.add(cluster)
    with conflict_on("uq_cluster_name", services.NAME_TAKEN):
        await session.flush()
    await enqueue_call(session, budcluster.update_node_status(registered.id), aggregate=f"cluster:{cluster.id}")
    status = {"status": "success", "message": "Cluster successfully onboarded"}
    steps = [{"workflow_execution_status": status, "cluster_id": str(cluster.id)}]
    target = ("cluster", cluster.id)
    title, icon = cluster.name, cluster.icon
    notice = Notice("cluster_onboarding_success", title, "Cluster is onboarded", target, icon)  # type: ignore[arg-type]
    return Outcome(steps, notice, {"cluster_id": str(cluster.id)})


async def _take_back(session: WriteSession, run: Run, result: Any) -> None:
    """Have budcluster delete what it has registered, as nobody wants it any more."""
    bud_cluster_id = result.get("id") if isinstance(result, dict) else None
    if not isinstance(bud_cluster_id, str) or _uuid_or_none(bud_cluster_id) is None:
        return
    data = run.data
    place = (data.get("credential_id"), data.get("region"), data.get("name"))
    try:
        payload = await _cloud_payload(session, run.workflow.tenant_id, *place)
    except NotFound:  # its owner is gone: budcluster says what it lacks
        payload = None
    call = budcluster.delete_cluster(bud_cluster_id, data.get("cluster_type", ClusterType.ON_PREM), payload)
    await enqueue_call(session, call, aggregate=f"cluster-registration:{run.workflow.id}", secret=True)


async def _cloud_payload(
    session: ReadSession, tenant_id: UUID, credential_id: str | UUID | None, region: str | None, name: str | None
) -> str | None:
    """Return what a cloud's cluster is deleted with, in budcluster's words (`credentail_id` is one of them)."""
    if credential_id is None:
        return None
    access = await clouds.open_access(session, tenant_id, UUID(str(credential_id)))
    payload = {
        "credentail_id": access.credential_id,
        "provider_id": access.provider_id,
        "provider_unique_id": access.provider,
        "credentials": access.credentials,
        "region": region,
        "cluster_type": ClusterType.CLOUD,
        "name": name,
    }
    return json.dumps(payload)


async def _let_go(session: WriteSession, run: Run) -> None:
    await crud.remove_kubeconfig(session, run.workflow.id)


def _steps_for(data: Json) -> Sequence[StepAnswer]:
    return CLOUD_STEPS if data.get("cluster_type") == ClusterType.CLOUD else ON_PREMISES_STEPS


def _uuid(text: str | None) -> UUID | None:
    return UUID(text) if text else None


def _uuid_or_none(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


ONBOARDING = Definition(
    type="cluster_onboarding",
    scope=Scope.CLUSTER_MANAGE,
    title="Cluster Onboarding",
    tag="Clusters",
    cancelled="Successfully cancelled cluster onboarding.",
    refusal="Unable to onboard the cluster",
    fields=ClusterPost.step_fields(),
    shows=ClusterSteps,
    unshown=("configuration_yaml", "cluster_id"),
    name_objects=services.name_objects,
    check=_check,
    accepted=_let_go,
    abandoned=_let_go,
    tasks=(
        Task(
            needs=("name", "icon", "cluster_type"),
            request=_register,
            results=_add_cluster,
            cancel=budcluster.cancel_registration,
            undo=_take_back,
            events=Events(
                key="create_cluster_events",
                type=budcluster.REGISTRATION_EVENTS,
                steps=ON_PREMISES_STEPS,
                steps_for=_steps_for,
            ),
        ),
    ),
)


async def _check_deletion(session: WriteSession, caller: Caller, run: Run) -> None:
    cluster = await _locked(session, caller.tenant_id, run)
    if cluster is None or cluster.status == ClusterStatus.DELETED:
        raise NotFound("Cluster not found", param="cluster_id")
    if cluster.status == ClusterStatus.DELETING:
        raise BadRequest("Cluster is already deleting")
    for check in hooks_of(session).all(hooks.before_deletion):
        await check(session, cluster.id)
    run.workflow.title, run.workflow.icon = cluster.name, cluster.icon
    run.keep(previous_status=cluster.status)
    cluster.status, cluster.reason, cluster.deleting_since = ClusterStatus.DELETING, None, now()


async def _locked(session: WriteSession, tenant_id: UUID, run: Run) -> Cluster | None:
    return await crud.lock(session, tenant_id, UUID(run.data["delete_cluster_id"]))


async def _delete(session: ReadSession, run: Run) -> PeerCall:
    cluster = await crud.find_cluster(session, run.workflow.tenant_id, UUID(run.data["delete_cluster_id"]))
    if cluster is None or cluster.cluster_id is None:
        raise BadRequest("budcluster does not know the cluster", param="cluster_id")
    payload = await _cloud_payload(session, cluster.tenant_id, cluster.credential_id, cluster.region, cluster.name)
    return budcluster.delete_cluster(cluster.cluster_id, cluster.cluster_type, payload)


async def _mark_deleted(session: WriteSession, run: Run, _result: Any) -> Outcome:
    cluster = await _locked(session, run.workflow.tenant_id, run)
    if cluster is None or cluster.status == ClusterStatus.DELETED:
        return Outcome()
    cluster.status, cluster.reason, cluster.deleting_since = ClusterStatus.DELETED, None, None
    await session.flush()
    for tell in hooks_of(session).all(hooks.after_deletion):
        await tell(session, cluster.id)
    target = ("cluster", cluster.id)
    notice = Notice("cluster_deletion_success", cluster.name, "Cluster Deleted", target, cluster.icon)  # type: ignore[arg-type]
    return Outcome((), notice)


async def _deleted_after_all(session: WriteSession, run: Run, result: Any) -> None:
    """What budcluster has deleted is gone, whether or not somebody still waits for it."""
    await _mark_deleted(session, run, result)


async def _not_deleted(session: WriteSession, run: Run) -> None:
    """Put the cluster back to what it was, or say that it may be half deleted; who cancels does not stop budcluster."""
    cluster = await _locked(session, run.workflow.tenant_id, run)
    if cluster is None or cluster.status != ClusterStatus.DELETING or run.workflow.status == "cancelled":
        return
    cluster.deleting_since = None
    if run.data.get("delete_cluster_events") is None:
        cluster.status = run.data.get("previous_status", ClusterStatus.ERROR)
    else:
        cluster.status, cluster.reason = ClusterStatus.ERROR, f"Deleting failed: {run.workflow.reason}"


DELETION = Definition(
    type="cluster_deletion",
    scope=Scope.CLUSTER_MANAGE,
    title="Cluster Deletion",
    tag="Clusters",
    cancelled="Successfully cancelled cluster deletion.",
    refusal="Failed to delete cluster",
    fields=ClusterDeletionPost.step_fields(),
    shows=ClusterSteps,
    unshown=("delete_cluster_id", "previous_status"),
    name_objects=services.name_objects,
    check=_check_deletion,
    keeps_draft=False,
    abandoned=_not_deleted,
    tasks=(
        Task(
            needs=("delete_cluster_id",),
            request=_delete,
            results=_mark_deleted,
            undo=_deleted_after_all,
            events=Events(
                key="delete_cluster_events",
                type=budcluster.DELETION_EVENTS,
                steps=budcluster.DELETION_STEPS,
                shown_as="cluster_deletion",
                in_same_step=True,
            ),
        ),
    ),
)
