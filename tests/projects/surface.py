from typing import Any
from uuid import UUID

from sqlalchemy import update

from budapp.endpoint_ops.models import Endpoint, EndpointStatus
from tests.projects.data import member_rows, project_row
from tests.surface.share import Audited, RequestContext, SeedContext, Share, Things, Valid


async def _seed_project(context: SeedContext) -> Things:
    tags = [{"name": "Demo", "color": "#E57333"}]
    project = project_row(context.owner, "Atlas", project_type=context.project_type, tags=tags)
    await context.add(project, *member_rows(project, context.members))
    return {"project_id": str(project.id)}


def _member(things: Things) -> dict[str, Any]:
    return {"user_id": things["newcomer_id"], "scopes": ["endpoint:view"]}


async def _without_deployments(context: RequestContext) -> None:
    """Take the project's deployments away: one that has some can't be deleted."""
    async with context.database.write() as session:
        here = Endpoint.project_id == UUID(context.things["project_id"])
        await session.execute(update(Endpoint).where(here).values(status=EndpointStatus.DELETED))


share = Share(
    "project_ops",
    seed_project=_seed_project,
    requests={
        "GET /projects/tags/search": Valid(query=lambda t: {"search_term": "de"}),
        "POST /projects/": Valid(lambda t: {"name": "New", "tags": [{"name": "New", "color": "#E57333"}]}),
        "PATCH /projects/{project_id}": Valid(lambda t: {"name": "Renamed"}),
        "DELETE /projects/{project_id}": Valid(prepare=_without_deployments),
        "POST /projects/{project_id}/add-users": Valid(lambda t: {"users": [_member(t)]}),
        "POST /projects/{project_id}/remove-users": Valid(lambda t: {"user_ids": [t["user_id"]]}),
    },
    audited={
        "POST /projects/": Audited("create", "project"),
        "PATCH /projects/{project_id}": Audited("update", "project"),
        "DELETE /projects/{project_id}": Audited("update", "project"),
        "POST /projects/{project_id}/add-users": Audited("permission_changed", "permission"),
        "POST /projects/{project_id}/remove-users": Audited("permission_changed", "permission"),
    },
)
