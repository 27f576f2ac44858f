from uuid_utils.compat import uuid7

from budapp.model_ops.models import Model
from tests.projects.data import endpoint_row, member_rows, project_row
from tests.surface.share import SeedContext, Share, Things, Valid


async def _seed(context: SeedContext) -> Things:
    """Put in a project that can't be deleted (`busy_project_id`), with a deployment on the cluster."""
    project = project_row(context.owner, "Busy")
    about = {"modality": ["text_input"], "supported_endpoints": [], "source": "local", "provider_type": "disk"}
    model = Model(id=uuid7(), name="Deployed", uri="acme/deployed", **about, **context.owned)
    endpoint = endpoint_row(
        str(project.id), context.owner, name="Endpoint", cluster_id=context.id_of("cluster_id"), model_id=model.id
    )
    await context.add(project, model, endpoint, *member_rows(project, context.members))
    return {"busy_project_id": str(project.id), "endpoint_id": str(endpoint.id), "deployed_model_id": str(model.id)}


share = Share(
    "endpoint_ops",
    seed=_seed,
    requests={"GET /projects/{project_id}/clusters": Valid(path={"project_id": "busy_project_id"})},
)
