from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from budapp.api_key_ops import services
from budapp.api_key_ops.schemas import (
    KeyCreate,
    KeyCreated,
    KeyDeleted,
    KeyList,
    KeyQuery,
    KeyRotated,
    KeysRevoked,
    KeyUpdate,
    KeyUpdated,
    KeyVerified,
    PolicyAnswer,
    PolicyUpdate,
    RevokeRequest,
    RotateRequest,
    VerifyRequest,
)
from budapp.api_key_ops.services import ApiKeysDep
from budapp.commons.access import Caller, Requires
from budapp.commons.database import Read, Write
from budapp.commons.idempotency import IdempotentRoute
from budapp.commons.scopes import Scope
from budapp.provider_credential_ops.schemas import CredentialCreate
from budapp.provider_credential_ops.services import ProviderCredentialsDep

router = APIRouter(prefix="/credentials", tags=["api keys"], route_class=IdempotentRoute)

Viewer = Annotated[Caller, Depends(Requires(Scope.PROJECT_VIEW))]
Maker = Annotated[Caller, Depends(services.CALLING)]
Holder = Annotated[Caller, Depends(Requires(Scope.PROJECT_VIEW, row=services.get_key))]
Administrator = Annotated[Caller, Depends(Requires(Scope.USER_MANAGE))]


@router.get("/")
async def list_api_keys(
    caller: Viewer, session: Read, keys: ApiKeysDep, query: Annotated[KeyQuery, Query()]
) -> KeyList:
    """List the caller's API keys, for administrators all of the tenant; the last used first."""
    page = await keys.page(session, caller, query)
    return KeyList(credentials=[keys.listed(row) for row in page.rows], **page.envelope())


@router.post("/", status_code=201)
async def create_api_key(
    data: KeyCreate, caller: Maker, session: Write, keys: ApiKeysDep, providers: ProviderCredentialsDep
) -> KeyCreated:
    """Make an API key in a project; the secret is shown only here."""
    if data.type is not None:
        token = CredentialCreate(name="Hugging Face", type=data.type, other_provider_creds={"api_key": data.key})
        kept = await providers.create(session, caller, token)
        return KeyCreated(message="The token is kept among the credentials of providers", result=kept)
    return KeyCreated(result=await keys.create(session, caller, data))


@router.get("/settings")
async def get_api_key_settings(caller: Viewer, session: Read) -> PolicyAnswer:
    """Return the tenant's defaults for API keys."""
    return PolicyAnswer(result=await services.get_policy(session, caller))


@router.put("/settings")
async def set_api_key_settings(data: PolicyUpdate, caller: Administrator, session: Write) -> PolicyAnswer:
    """Set how long new API keys of the tenant last by default, and when their owners are told."""
    policy = await services.set_policy(session, caller, data)
    return PolicyAnswer(message="Settings of API keys changed", result=policy)


@router.post("/revoke")
async def revoke_all_api_keys(data: RevokeRequest, caller: Viewer, session: Write) -> KeysRevoked:
    """Revoke all API keys of a person, or all in a project."""
    return KeysRevoked(revoked=await services.revoke_all(session, caller, data))


@router.post("/verify")
async def verify_api_key(data: VerifyRequest, caller: Viewer, session: Write, keys: ApiKeysDep) -> KeyVerified:
    """Say what has become of an API key that was found somewhere: mistyped, revoked, expired or still valid."""
    return KeyVerified(result=await keys.verify(session, caller, data.key))


@router.put("/{credential_id}")
async def update_api_key(
    credential_id: UUID, data: KeyUpdate, caller: Holder, session: Write, keys: ApiKeysDep
) -> KeyUpdated:
    """Change an API key's name, expiry or limits."""
    return KeyUpdated(result=await keys.update(session, caller, credential_id, data))


@router.post("/{credential_id}/rotate")
async def rotate_api_key(
    credential_id: UUID, data: RotateRequest, caller: Holder, session: Write, keys: ApiKeysDep
) -> KeyRotated:
    """Give an API key another secret, shown only here; the one before works for the grace period."""
    return KeyRotated(result=await keys.rotate(session, caller, credential_id, data.grace_seconds))


@router.delete("/{credential_id}")
async def revoke_api_key(credential_id: UUID, caller: Holder, session: Write) -> KeyDeleted:
    """Revoke an API key for good."""
    await services.delete_key(session, caller, credential_id)
    return KeyDeleted()
