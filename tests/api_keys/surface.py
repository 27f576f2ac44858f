from tests.projects.data import credential_row
from tests.surface.share import SeedContext, Share, Things


async def _seed_project(context: SeedContext) -> Things:
    key = credential_row(context.things["project_id"], context.owner, credential_type=context.project_type.value)
    await context.add(key)
    return {"credential_id": str(key.id)}


share = Share("api_key_ops", seed_project=_seed_project)
