from uuid import UUID

from budapp.commons.access import Caller
from budapp.commons.crud import Page
from budapp.commons.database import ReadSession, WriteSession
from budapp.commons.errors import BadRequest
from budapp.commons.scopes import Scope
from budapp.endpoint_ops import crud
from budapp.endpoint_ops.models import Endpoint
from budapp.endpoint_ops.schemas import ProjectClusterQuery
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
