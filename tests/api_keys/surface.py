from sqlalchemy import update

from budapp.api_key_ops.models import ApiKeyPolicy, Credential
from budapp.project_ops.models import ProjectType
from tests.projects.data import credential_row
from tests.surface.share import Audited, RequestContext, SeedContext, Share, Things, Valid


async def _seed(context: SeedContext) -> Things:
    await context.add(ApiKeyPolicy(tenant_id=context.tenant_id, default_expiry_days=30))
    return {}


async def _seed_project(context: SeedContext) -> Things:
    key = credential_row(context.things["project_id"], context.owner, credential_type=context.project_type.value)
    await context.add(key)
    of_customer = context.project_type is ProjectType.CLIENT_APP  # administrators reach that one too
    return {} if of_customer else {"credential_id": str(key.id)}


async def _own_keys(context: RequestContext) -> None:
    """Have the caller own the tenant's keys in admin_app projects: nobody rotates those of others."""
    if context.person is None or not context.is_of_the_tenant:
        return
    async with context.database.write() as session:
        mine = (Credential.tenant_id == context.person.tenant_id, Credential.credential_type == "admin_app")
        await session.execute(update(Credential).where(*mine).values(user_id=context.person.id))


share = Share(
    "api_key_ops",
    seed=_seed,
    seed_project=_seed_project,
    requests={
        "POST /credentials/": Valid(lambda t: {"name": "New", "project_id": t["project_id"]}),
        "PUT /credentials/settings": Valid(lambda t: {"default_expiry_days": 60}),
        "POST /credentials/revoke": Valid(lambda t: {"project_id": t["project_id"]}),
        "POST /credentials/verify": Valid(lambda t: {"key": "bud_admin_x"}),
        "PUT /credentials/{credential_id}": Valid(lambda t: {"name": "Renamed"}),
        "POST /credentials/{credential_id}/rotate": Valid(lambda t: {"grace_seconds": 60}, prepare=_own_keys),
    },
    audited={
        "POST /credentials/": Audited("create", "api_key"),
        "PUT /credentials/settings": Audited("update", "setting"),
        "POST /credentials/revoke": Audited("delete", "api_key"),
        "PUT /credentials/{credential_id}": Audited("update", "api_key"),
        "POST /credentials/{credential_id}/rotate": Audited("update", "api_key"),
        "DELETE /credentials/{credential_id}": Audited("delete", "api_key"),
    },
    changes_nothing={"POST /credentials/verify": "a key is looked up, and nothing is kept"},
)
