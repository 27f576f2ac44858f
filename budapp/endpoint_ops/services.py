from uuid import UUID

from budapp.commons.access import Caller
from budapp.commons.crud import Page
from budapp.commons.database import ReadSession, WriteSession
from budapp.commons.errors import BadRequest
from budapp.commons.scopes import Scope
from budapp.endpoint_ops import crud
from budapp.endpoint_ops.models import Endpoint
from budapp.endpoint_ops.schemas import ProjectClusterQuery
from budapp.model_ops import cloud_catalogue
from budapp.model_ops import contents as model_contents
from budapp.project_ops import contents as project_contents
from budapp.project_ops import services as project_services
from budapp.user_ops import contents as user_contents


async def list_project_clusters(
    session: ReadSession, caller: Caller, project_id: UUID, query: ProjectClusterQuery
) -> Page:
    """Return a page of the clusters that the project's deployments run on.

    Raises:
        NotFound: no such project, or out of reach.
    """
    await project_services.require_project(session, caller, project_id, Scope.PROJECT_VIEW)
    return await crud.ProjectClusterCrud(session, caller).page_of_project(project_id, query)


def register_project_content() -> None:
    """Make known to the domains below what endpoints mean for them; for the start of the service."""
    project_contents.register(project_contents.Content("endpoints", crud.count_in_project, _before_removal))
    user_contents.register("endpoints", _before_user_removal)
    model_contents.register_endpoints(crud.count_of_model)


def register_catalogue_follower() -> None:
    """Have deployments follow the catalogue of clouds; for the start of the service."""
    cloud_catalogue.register_follower(_follow_catalogue)


async def _follow_catalogue(session: WriteSession) -> None:
    """Deprecate the deployments of models that clouds offer no longer, and the other way round."""
    for row in await crud.out_of_step(session):
        row.Endpoint.is_deprecated = not row.offered


async def _before_removal(session: WriteSession, removal: project_contents.Removal) -> None:
    if removal.user_ids is None and await crud.exist(session, Endpoint.project_id == removal.project_id):
        raise BadRequest("There are deployments in this project; delete them first")


async def _before_user_removal(session: WriteSession, user_id: UUID, _remove_credentials: bool) -> None:
    if await crud.exist(session, Endpoint.created_by == user_id):
        raise BadRequest("This user has deployments; delete them first")
