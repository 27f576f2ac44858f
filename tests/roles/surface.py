from budapp.user_ops.models import CustomRole
from tests.surface.share import Audited, SeedContext, Share, Things, Valid


async def _seed(context: SeedContext) -> Things:
    role = CustomRole(tenant_id=context.tenant_id, name="Readers", scopes=["model:view"])
    await context.add(role)
    return {"role_id": str(role.id)}


share = Share(
    "role_ops",
    seed=_seed,
    requests={
        "POST /roles": Valid(lambda t: {"name": f"Role {t['fresh']}", "scopes": ["model:view"]}),
        "PATCH /roles/{role_id}": Valid(lambda t: {"name": f"Role {t['fresh']}", "scopes": ["project:view"]}),
        "PUT /users/{user_id}/role": Valid(lambda t: {"role_id": t["role_id"]}),
    },
    audited={
        "POST /roles": Audited("create", "role"),
        "PATCH /roles/{role_id}": Audited("update", "role"),
        "DELETE /roles/{role_id}": Audited("delete", "role"),
        "PUT /users/{user_id}/role": Audited("update", "user"),
    },
)
