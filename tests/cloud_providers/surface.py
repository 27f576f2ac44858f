from uuid_utils.compat import uuid7

from budapp.cloud_provider_ops.models import CloudCredential, CloudProvider
from tests.surface.share import Audited, SeedContext, Share, Things, Valid

_SCHEMA = {"properties": {"token": {"type": "password"}}, "required": ["token"]}


async def _seed(context: SeedContext) -> Things:
    about = {"description": "A cloud", "logo_url": "icons/cloud.svg", "schema_definition": _SCHEMA}
    provider = CloudProvider(
        id=uuid7(), unique_id=f"cloud-{context.realm}", name="Cloud", regions=[{"id": "r", "name": "R"}], **about
    )
    credential = CloudCredential(
        id=uuid7(),
        tenant_id=context.tenant_id,
        user_id=context.owner.id,
        provider_id=provider.id,
        credential_name="Credential",
        values_encrypted="sealed",
        summary={"token": "********"},
    )
    await context.add(provider, credential)
    return {"cloud_provider_id": str(provider.id), "cloud_credential_id": str(credential.id)}


_BODY = Valid(
    lambda t: {"provider_id": t["cloud_provider_id"], "credential_name": "New", "credential_values": {"token": "x"}}
)

share = Share(
    "cloud_provider_ops",
    seed=_seed,
    requests={
        "POST /credentials/cloud-providers": _BODY,
        "GET /credentials/cloud-providers/credentials/{credential_id}": Valid(
            path={"credential_id": "cloud_credential_id"}
        ),
        "GET /credentials/cloud-providers/{provider_id}/regions": Valid(path={"provider_id": "cloud_provider_id"}),
    },
    audited={"POST /credentials/cloud-providers": Audited("create", "secret")},
)
