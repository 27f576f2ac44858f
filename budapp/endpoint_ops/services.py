from collections.abc import Collection
from uuid import UUID

from budapp.commons.access import Caller
from budapp.commons.crud import Page
from budapp.commons.database import ReadSession, WriteSession
from budapp.commons.errors import BadRequest, NotFound
from budapp.commons.hooks import hooks_of
from budapp.commons.scopes import Scope
from budapp.endpoint_ops import crud, hooks
from budapp.endpoint_ops.access import reach_endpoint
from budapp.endpoint_ops.columns import shown
from budapp.endpoint_ops.endpoint_crud import EndpointCrud, HealthCrud
from budapp.endpoint_ops.models import Endpoint
from budapp.endpoint_ops.schemas import DeployedModel, EndpointDetail, EndpointQuery, HistoryQuery, ProjectClusterQuery
from budapp.model_ops import services as models
from budapp.model_ops.license_files import LicenseFiles
from budapp.project_ops import services as project_services
from budapp.project_ops.hooks import Removal


async def list_project_clusters(
    session: ReadSession, caller: Caller, project_id: UUID, query: ProjectClusterQuery
) -> Page:
    """Return a page of the clusters that the project's deployments run on.

    Raises:
        NotFound: no such project, or out of reach.
    """
    await project_services.require_project(session, caller, project_id, Scope.PROJECT_VIEW)
    return await crud.ProjectClusterCrud(session, caller).page_of_project(project_id, query)


async def follow_catalog(session: WriteSession) -> None:
    """Deprecate the deployments of models that clouds offer no longer, and the other way round."""
    for row in await crud.out_of_step(session):
        row.Endpoint.is_deprecated = not row.offered


async def before_project_removal(session: WriteSession, removal: Removal) -> None:
    if removal.user_ids is None and await crud.exist(session, Endpoint.project_id == removal.project_id):
        raise BadRequest("The project has deployments; delete them first")


async def before_cluster_deletion(session: WriteSession, cluster_id: UUID) -> None:
    if await crud.exist(session, Endpoint.cluster_id == cluster_id):
        raise BadRequest("The cluster has deployments; delete them first")


async def before_user_deletion(session: WriteSession, user_id: UUID, _remove_credentials: bool) -> None:
    if await crud.exist(session, Endpoint.created_by == user_id):
        raise BadRequest("The user has deployments; delete them first")


async def list_endpoints(session: ReadSession, caller: Caller, query: EndpointQuery) -> Page:
    """Return a page of the endpoints in reach, the newest first, as `endpoint_columns`."""
    return await EndpointCrud(session, caller).page_of_endpoints(query)


async def get_endpoint(session: ReadSession, caller: Caller, files: LicenseFiles, endpoint_id: UUID) -> EndpointDetail:
    """Return an endpoint with all that is known of its model.

    Raises:
        NotFound: no such endpoint, or out of reach.
    """
    row = await EndpointCrud(session, caller).detail(endpoint_id)
    found = shown({**row._mapping, "nodes": row.node_list})
    if found["model"] is not None:
        report = await models.get_model(session, caller, files, row.model_id)
        price = await hooks_of(session).one(hooks.price)(session, endpoint_id)
        found["model"] = DeployedModel.model_validate({**dict(report.model), "pricing": price})
    return EndpointDetail.model_validate(found)


async def endpoints_of_ids(session: ReadSession, caller: Caller, ids: Collection[UUID]) -> list[Endpoint]:
    """Return those of the endpoints that are in the caller's reach."""
    return await EndpointCrud(session, caller).of_ids(ids)


async def endpoint_named(session: ReadSession, caller: Caller, name: str) -> Endpoint:
    """Return the endpoint of the name, or raise `NotFound` where it is out of reach."""
    found = await EndpointCrud(session, caller).named(name)
    if found is None:
        raise NotFound("Endpoint not found", param="deployment_name")
    return found


async def list_health(session: ReadSession, caller: Caller, endpoint_id: UUID, query: HistoryQuery) -> Page:
    """Return a page of what the endpoint was, since when and why, the newest first.

    Raises:
        NotFound: no such endpoint, or out of reach.
    """
    await reach_endpoint(session, caller, endpoint_id)
    return await HealthCrud(session, caller, endpoint_id).history(query)
