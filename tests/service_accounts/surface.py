from uuid_utils.compat import uuid7

from budapp.api_key_ops import secrets
from budapp.api_key_ops.models import Credential
from budapp.api_key_ops.secrets import Peppers
from budapp.commons.config import load_settings
from budapp.service_account_ops.models import ServiceAccount
from budapp.user_ops.models import ServiceRights, User
from tests.surface.share import Audited, SeedContext, Share, Things, Valid

_KEY = {"credential_id": "service_credential_id"}


async def _seed(context: SeedContext) -> Things:
    """Put in an account that holds what an administrator's role gives to it, with a key that counts."""
    secret, own_id = secrets.new_secret("service"), uuid7()
    user = User(
        id=own_id,
        tenant_id=context.tenant_id,
        auth_id=f"service:{own_id}",
        name="CI",
        email=f"{own_id}@service-accounts.invalid",
        role="admin",
        user_type="admin",
        status="active",
        color="#B1B1B1",
        service_rights=ServiceRights.ROLE,
    )
    key = Credential(
        tenant_id=context.tenant_id,
        user_id=own_id,
        name="service key",
        credential_type="admin_app",
        hashed_key=secrets.lookup_hash(secret),
        key_hmac=Peppers(load_settings()).digest(secret),
        masked_key=secrets.masked(secret),
    )
    await context.add(user, ServiceAccount(id=own_id, name="CI", **context.owned), key)
    return {"account_id": str(own_id), "service_credential_id": str(key.id), "service_key": secret}


share = Share(
    "service_account_ops",
    seed=_seed,
    requests={
        "POST /service-accounts": Valid(lambda t: {"name": f"CI {t['fresh']}", "role": "tester"}),
        "PATCH /service-accounts/{account_id}": Valid(lambda t: {"description": "Builds"}),
        "PUT /service-accounts/{account_id}/projects/{project_id}": Valid(lambda t: {"scopes": ["endpoint:view"]}),
        "POST /service-accounts/{account_id}/keys": Valid(lambda t: {"name": "New"}),
        "POST /service-accounts/{account_id}/keys/{credential_id}/rotate": Valid(
            lambda t: {"grace_seconds": 60}, path=_KEY
        ),
        "DELETE /service-accounts/{account_id}/keys/{credential_id}": Valid(path=_KEY),
    },
    audited={
        "POST /service-accounts": Audited("create", "service"),
        "PATCH /service-accounts/{account_id}": Audited("update", "service"),
        "DELETE /service-accounts/{account_id}": Audited("delete", "service"),
        "PUT /service-accounts/{account_id}/projects/{project_id}": Audited("permission_changed", "permission"),
        "POST /service-accounts/{account_id}/keys": Audited("create", "api_key"),
        "POST /service-accounts/{account_id}/keys/{credential_id}/rotate": Audited("update", "api_key"),
        "DELETE /service-accounts/{account_id}/keys/{credential_id}": Audited("delete", "api_key"),
    },
)
