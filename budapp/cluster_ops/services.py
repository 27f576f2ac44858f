"""Clusters: lists, details, changes, and as other domains ask for them."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from budapp.cluster_ops import crud
from budapp.cluster_ops.crud import ClusterCrud
from budapp.cluster_ops.models import Cluster, ClusterStatus
from budapp.cluster_ops.schemas import ClusterEdit, ClusterQuery
from budapp.cluster_ops.step_views import ClusterBrief
from budapp.commons.access import Caller
from budapp.commons.crud import Page
from budapp.commons.database import Database, ReadSession
from budapp.commons.errors import BadRequest, Conflict, NotFound
from budapp.commons.integrity import conflict_on
from budapp.integrations import budcluster
from budapp.integrations.dapr import DaprClient
from budapp.workflow_ops.step_views import StepObjects

NAME_TAKEN = Conflict("Cluster name already exists", param="name")


async def list_clusters(session: ReadSession, caller: Caller, query: ClusterQuery) -> Page:
    """Return a page of the tenant's clusters, the newest first, as `ClusterView` columns."""
    return await ClusterCrud(session, caller).page_of_clusters(query)


async def get_cluster(session: ReadSession, caller: Caller, cluster_id: UUID) -> Row[Any]:
    """Return a cluster, as `ClusterView` columns.

    Raises:
        NotFound: no such cluster, or another tenant's.
    """
    return await ClusterCrud(session, caller).view(cluster_id)


async def reach_cluster(session: ReadSession, caller: Caller, cluster_id: UUID) -> Cluster:
    """Return the tenant's cluster, or raise `NotFound`."""
    return await ClusterCrud(session, caller).get(cluster_id)


async def edit_cluster(
    database: Database, dapr: DaprClient, caller: Caller, cluster_id: UUID, edit: ClusterEdit
) -> Row[Any]:
    """Change what the edit says, and return the cluster; budcluster has a new ingress before it is stored.

    Raises:
        NotFound: no such cluster, or another tenant's.
        BadRequest: it is being deleted, or budcluster refused the ingress.
        Conflict: another cluster has this name.
        PeerFailed, Unavailable: budcluster; nothing is changed then.
    """
    changes = edit.model_dump(exclude_unset=True, exclude_none=True)
    async with database.read() as session:
        cluster = await reach_cluster(session, caller, cluster_id)
        await _check_edit(session, cluster, changes)
    ingress = changes.get("ingress_url")
    if ingress is not None and ingress != cluster.ingress_url and cluster.cluster_id is not None:
        await budcluster.change_ingress(dapr, cluster.cluster_id, ingress)
    async with database.write() as session:
        cluster = await ClusterCrud(session, caller).get(cluster_id, for_update=True)
        for name, value in changes.items():
            setattr(cluster, name, value)
        with conflict_on("uq_cluster_name", NAME_TAKEN):
            await session.flush()
        return await ClusterCrud(session, caller).view(cluster_id)


async def _check_edit(session: ReadSession, cluster: Cluster, changes: dict[str, Any]) -> None:
    if cluster.status == ClusterStatus.DELETING:
        raise BadRequest("The cluster is being deleted")
    name = changes.get("name")
    if name is not None and name.lower() != cluster.name.lower():
        await check_name_free(session, cluster.tenant_id, name)


async def check_name_free(session: ReadSession, tenant_id: UUID, name: str) -> None:
    """Raise `Conflict` where a cluster of the tenant has the name, whatever the case."""
    if await crud.name_is_taken(session, tenant_id, name):
        raise NAME_TAKEN


async def available(session: ReadSession, tenant_id: UUID, bud_cluster_ids: Collection[UUID]) -> list[Cluster]:
    """Return those of the tenant's clusters, by the ids that budcluster has for them, which can be used now."""
    found = await crud.find_clusters(session, tenant_id, bud_cluster_ids)
    return [cluster for cluster in found if cluster.status == ClusterStatus.AVAILABLE]


async def require_available(session: ReadSession, tenant_id: UUID, bud_cluster_id: UUID) -> Cluster:
    """Return the tenant's cluster that budcluster knows by the id.

    Raises:
        NotFound: no such cluster, or another tenant's.
        BadRequest: it can't be used now.
    """
    found = await crud.find_clusters(session, tenant_id, [bud_cluster_id])
    if not found:
        raise NotFound("Cluster not found", param="cluster_id")
    if found[0].status != ClusterStatus.AVAILABLE:
        raise BadRequest("Cluster is not available", param="cluster_id")
    return found[0]


async def name_objects(session: ReadSession, tenant_id: UUID, data: dict[str, Any]) -> StepObjects:
    """Return the cluster that the steps have made, or are about."""
    named = data.get("cluster_id") or data.get("delete_cluster_id")
    found = await crud.find_cluster(session, tenant_id, UUID(named)) if named else None
    return {"cluster": ClusterBrief.model_validate(found)} if found is not None else {}


async def require_there(session: ReadSession, tenant_id: UUID, bud_cluster_id: UUID) -> Cluster:
    """Return the tenant's cluster that budcluster knows by the id, in whatever state; raises `NotFound` if none is."""
    found = await crud.find_clusters(session, tenant_id, [bud_cluster_id])
    if not found:
        raise NotFound("The cluster was deleted in the meantime", param="cluster_id")
    return found[0]
