from budapp.oauth_ops.models import TenantOAuthConfig
from tests.surface.share import Audited, SeedContext, Share, Things, Valid


async def _seed(context: SeedContext) -> Things:
    config = TenantOAuthConfig(tenant_id=context.tenant_id, provider="oidc", client_id="bud", config_data={})
    config.client_secret_encrypted = "sealed"
    await context.add(config)
    return {"provider": "oidc"}


share = Share(
    "oauth_ops",
    seed=_seed,
    requests={
        "GET /oauth/providers": Valid(query=lambda t: {"tenant_id": t["tenant_id"]}),
        "POST /admin/oauth/configure": Valid(
            lambda t: {"provider": "github", "clientId": "bud", "clientSecret": "secret", "tenantId": t["tenant_id"]}
        ),
    },
    audited={
        "POST /admin/oauth/configure": Audited("create", "config"),
        "PUT /admin/oauth/disable/{tenant_id}/{provider}": Audited("update", "config"),
    },
)
