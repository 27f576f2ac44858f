"""What budmetrics' figures are about: whose they are, and what the ids in them are called."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, and_, distinct, exists, func, literal_column, select, union_all

from budapp.adapter_ops.models import Adapter
from budapp.api_key_ops.models import Credential
from budapp.cluster_ops.models import Cluster
from budapp.commons.access import Caller
from budapp.commons.database import ReadSession, not_deleted
from budapp.commons.jobs import JobSchedule
from budapp.commons.scopes import Scope
from budapp.endpoint_ops.models import Endpoint
from budapp.model_ops.models import Model
from budapp.project_ops.models import Project, ProjectMember
from budapp.project_ops.services import projects_holding, projects_in_reach
from budapp.provider_ops.models import ProviderType
from budapp.user_ops.columns import PRESENT
from budapp.user_ops.models import User

_NAMED: Mapping[str, Any] = {
    "model": Model,
    "project": Project,
    "endpoint": Endpoint,
    "api_key": Credential,
    "user": User,
}


def _projects(session: ReadSession, caller: Caller) -> Select[Any]:
    """Return the select of the projects whose requests the caller may see: a customer's user those of all own ones."""
    if caller.is_client:
        return projects_in_reach(session, caller)
    return projects_holding(session, caller, Scope.ENDPOINT_VIEW)


async def projects(session: ReadSession, caller: Caller) -> set[UUID]:
    """Return the projects whose requests the caller may see."""
    return set(await session.scalars(_projects(session, caller)))


def _endpoints(session: ReadSession, caller: Caller) -> ColumnElement[bool]:
    mine = (Endpoint.tenant_id == caller.tenant_id, not_deleted(Endpoint))
    if caller.is_client:
        return and_(*mine, Endpoint.is_published)
    return and_(*mine, Endpoint.project_id.in_(_projects(session, caller)))


def _models(session: ReadSession, caller: Caller) -> ColumnElement[bool]:
    mine = and_(Model.tenant_id == caller.tenant_id, not_deleted(Model))
    if caller.may(Scope.MODEL_VIEW):
        return mine
    return and_(mine, exists(select(1).where(Endpoint.model_id == Model.id, _endpoints(session, caller))))


async def reached(
    session: ReadSession, caller: Caller, endpoint_ids: Collection[UUID], model_ids: Collection[UUID]
) -> set[UUID]:
    """Return which of the endpoints, adapters among them, and of the models the caller may see."""
    adapters = select(Adapter.id).join(Endpoint, Endpoint.id == Adapter.endpoint_id)
    found = union_all(
        select(Endpoint.id).where(Endpoint.id.in_(endpoint_ids), _endpoints(session, caller)),
        adapters.where(Adapter.id.in_(endpoint_ids), not_deleted(Adapter), _endpoints(session, caller)),
        select(Model.id).where(Model.id.in_(model_ids), _models(session, caller)),
    )
    return set(await session.scalars(found))


async def names(session: ReadSession, tenant_id: UUID, ids: Mapping[str, Collection[UUID]]) -> Sequence[Row[Any]]:
    """Return kind, id and name of what the ids stand for, deleted things too, in one statement."""
    parts = [
        select(literal_column(f"'{kind}'").label("kind"), table.id, table.name).where(
            table.tenant_id == tenant_id, table.id.in_(ids[kind])
        )
        for kind, table in _NAMED.items()
        if ids.get(kind)
    ]
    if ids.get("endpoint"):
        adapters: Any = select(literal_column("'endpoint'").label("kind"), Adapter.id, Adapter.name)
        parts.append(adapters.where(Adapter.tenant_id == tenant_id, Adapter.id.in_(ids["endpoint"])))
    if not parts:
        return []
    rows: Sequence[Any] = (await session.execute(union_all(*parts))).all()
    return rows


async def counts(session: ReadSession, caller: Caller) -> Row[Any]:
    """Return how much there is of what the caller may see, by the names of `CountAnswer`."""
    models, endpoints = _models(session, caller), _endpoints(session, caller)
    reach = projects_in_reach(session, caller)
    in_cloud = Model.provider_type == ProviderType.CLOUD_MODEL
    clusters = and_(Cluster.tenant_id == caller.tenant_id, not_deleted(Cluster))
    members = select(func.count(distinct(ProjectMember.user_id))).join(User, User.id == ProjectMember.user_id)
    listed = select(func.count()).select_from(Project).where(Project.id.in_(reach), ~Project.benchmark)
    columns: dict[str, Select[Any]] = {
        "total_model_count": _count(Model, models),
        "cloud_model_count": _count(Model, models, in_cloud),
        "local_model_count": _count(Model, models, ~in_cloud),
        "total_projects": listed,
        "total_project_users": members.where(PRESENT, ProjectMember.project_id.in_(reach)),
        "total_endpoints_count": _count(Endpoint, endpoints),
        "running_endpoints_count": _count(Endpoint, endpoints, Endpoint.status == "running"),
    }
    if caller.may(Scope.CLUSTER_VIEW):
        columns["total_clusters"] = _count(Cluster, clusters)
        columns["inactive_clusters"] = _count(Cluster, clusters, Cluster.status != "available")
    chosen = [counted.scalar_subquery().label(name) for name, counted in columns.items()]
    return (await session.execute(select(*chosen))).one()


def _count(table: Any, *conditions: ColumnElement[bool]) -> Select[Any]:
    return select(func.count()).select_from(table).where(*conditions)


async def schedule(session: ReadSession, jobs: Collection[str]) -> Sequence[Row[Any]]:
    """Return name, last settling and next run of the jobs."""
    columns = (JobSchedule.name, JobSchedule.modified_at, JobSchedule.due_at)
    rows: Sequence[Any] = (await session.execute(select(*columns).where(JobSchedule.name.in_(jobs)))).all()
    return rows
