from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from budapp.commons.access import Caller, Requires, service_accounts_may
from budapp.commons.database import Read
from budapp.commons.idempotency import IdempotentRoute
from budapp.commons.scopes import Scope
from budapp.endpoint_ops import services
from budapp.endpoint_ops.access import VIEWING
from budapp.endpoint_ops.schemas import (
    EndpointList,
    EndpointQuery,
    EndpointRetrieved,
    HealthHistory,
    HistoryQuery,
    ProjectClusterList,
    ProjectClusterQuery,
)
from budapp.model_ops.license_files import LicenseFilesDep
from budapp.project_ops.services import require_project

project_router = APIRouter(prefix="/projects", tags=["projects"], dependencies=[service_accounts_may])
router = APIRouter(
    prefix="/endpoints", tags=["endpoints"], route_class=IdempotentRoute, dependencies=[service_accounts_may]
)

_may_view = partial(require_project, scope=Scope.PROJECT_VIEW)
Viewer = Annotated[Caller, Depends(VIEWING)]
ProjectCaller = Annotated[Caller, Depends(Requires(Scope.PROJECT_VIEW))]
ProjectViewer = Annotated[Caller, Depends(Requires(Scope.PROJECT_VIEW, row=_may_view))]


@project_router.get("/{project_id}/clusters")
async def list_project_clusters(
    project_id: UUID, caller: ProjectViewer, session: Read, query: Annotated[ProjectClusterQuery, Query()]
) -> ProjectClusterList:
    """List the clusters that run deployments of the project."""
    return ProjectClusterList.of(await services.list_project_clusters(session, caller, project_id, query))


@router.get("/")
async def list_endpoints(
    caller: ProjectCaller, session: Read, query: Annotated[EndpointQuery, Query()]
) -> EndpointList:
    """List the endpoints of the projects where the caller may view endpoints, the newest first."""
    return EndpointList.of(await services.list_endpoints(session, caller, query))


@router.get("/{endpoint_id}/model-cluster-detail")
async def get_endpoint(endpoint_id: UUID, caller: Viewer, session: Read, files: LicenseFilesDep) -> EndpointRetrieved:
    """Get an endpoint, with all that is known of its model, its cluster, and how it was deployed."""
    return EndpointRetrieved(result=await services.get_endpoint(session, caller, files, endpoint_id))


@router.get("/{endpoint_id}/history")
async def list_health(
    endpoint_id: UUID, caller: Viewer, session: Read, query: Annotated[HistoryQuery, Query()]
) -> HealthHistory:
    """List what an endpoint was, since when and why, the newest first."""
    return HealthHistory.of(await services.list_health(session, caller, endpoint_id, query))
