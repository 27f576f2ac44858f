from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from budapp.commons.access import Caller, Requires
from budapp.commons.database import Read
from budapp.commons.scopes import Scope
from budapp.endpoint_ops import services
from budapp.endpoint_ops.schemas import ProjectClusterList, ProjectClusterQuery
from budapp.project_ops.services import require_project

router = APIRouter(prefix="/projects", tags=["projects"])

_may_view = partial(require_project, scope=Scope.PROJECT_VIEW)
ProjectViewer = Annotated[Caller, Depends(Requires(Scope.PROJECT_VIEW, row=_may_view))]


@router.get("/{project_id}/clusters")
async def list_project_clusters(
    project_id: UUID, caller: ProjectViewer, session: Read, query: Annotated[ProjectClusterQuery, Query()]
) -> ProjectClusterList:
    """List the clusters that run deployments of the project."""
    return ProjectClusterList.of(await services.list_project_clusters(session, caller, project_id, query))
