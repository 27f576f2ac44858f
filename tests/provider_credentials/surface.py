import json

from budapp.provider_credential_ops.models import ProviderCredential
from tests.surface.share import Audited, SeedContext, Share, Things, Valid

SECRET = "sk-0123456789abcdef-last"


async def _seed(context: SeedContext) -> Things:
    row = ProviderCredential(
        tenant_id=context.tenant_id,
        user_id=context.owner.id,
        name="Cloud",
        type=context.things["provider_type"],
        provider_id=context.id_of("provider_id"),
        masked={"api_key": "********last"},
        secrets_encrypted="",
    )
    await context.add(row)
    encryption = context.session.info["encryption"]
    row.secrets_encrypted = encryption.encrypt(json.dumps({"api_key": SECRET}), f"proprietary_credential:{row.id}")
    await context.session.flush()
    return {"provider_credential_id": str(row.id)}


share = Share(
    "provider_credential_ops",
    seed=_seed,
    requests={
        "GET /proprietary/credentials/provider-info": Valid(query=lambda t: {"provider_name": t["provider_type"]}),
        "POST /proprietary/credentials/": Valid(
            lambda t: {"name": "New", "type": t["provider_type"], "other_provider_creds": {"api_key": SECRET}}
        ),
        "PUT /proprietary/credentials/{provider_credential_id}": Valid(
            lambda t: {"name": "Renamed", "type": t["provider_type"]}
        ),
    },
    audited={
        "POST /proprietary/credentials/": Audited("create", "secret"),
        "PUT /proprietary/credentials/{provider_credential_id}": Audited("update", "secret"),
        "DELETE /proprietary/credentials/{provider_credential_id}": Audited("delete", "secret"),
    },
    changes_nothing={
        "POST /proprietary/credentials/{provider_credential_id}/test": "the provider is asked, and nothing is kept",
    },
)
