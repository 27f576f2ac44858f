from tests.projects.data import endpoint_row, member_rows, project_row
from tests.surface.share import SeedContext, Share, Things, Valid


async def _seed(context: SeedContext) -> Things:
    """Put in a project that can't be deleted (`busy_project_id`), with a deployment on the cluster."""
    project = project_row(context.owner, "Busy")
    endpoint = endpoint_row(str(project.id), context.owner, name="Endpoint", cluster_id=context.id_of("cluster_id"))
    await context.add(project, endpoint, *member_rows(project, context.members))
    return {"busy_project_id": str(project.id), "endpoint_id": str(endpoint.id)}


share = Share(
    "endpoint_ops",
    seed=_seed,
    requests={"GET /projects/{project_id}/clusters": Valid(path={"project_id": "busy_project_id"})},
)
