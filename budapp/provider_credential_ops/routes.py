from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from budapp.commons.access import Caller, Requires
from budapp.commons.database import Read, Write
from budapp.commons.idempotency import IdempotentRoute
from budapp.commons.scopes import Scope
from budapp.provider_credential_ops import services
from budapp.provider_credential_ops.schemas import (
    CredentialAnswer,
    CredentialCreate,
    CredentialCreated,
    CredentialDeleted,
    CredentialDetailed,
    CredentialFieldsAnswer,
    CredentialList,
    CredentialQuery,
    CredentialTested,
    CredentialUpdate,
    CredentialUpdated,
    FieldsQuery,
)
from budapp.provider_credential_ops.services import ProviderCredentialsDep

router = APIRouter(prefix="/proprietary/credentials", tags=["provider credentials"], route_class=IdempotentRoute)

Viewer = Annotated[Caller, Depends(Requires(Scope.MODEL_VIEW))]
Reader = Annotated[Caller, Depends(Requires(Scope.MODEL_VIEW, row=services.get_credential))]
Changer = Annotated[Caller, Depends(Requires(Scope.MODEL_VIEW, row=services.reach_changeable))]

CREDENTIAL = "/{provider_credential_id}"


@router.get("/")
async def list_provider_credentials(
    caller: Viewer, session: Read, query: Annotated[CredentialQuery, Query()]
) -> CredentialList:
    """List the tenant's credentials at providers of models, newest first; secrets are masked."""
    return CredentialList.of(await services.list_credentials(session, caller, query))


@router.post("/", status_code=201)
async def create_provider_credential(
    data: CredentialCreate, caller: Viewer, session: Write, secrets: ProviderCredentialsDep
) -> CredentialCreated:
    """Keep a credential, in the fields that `provider-info` names for the provider."""
    return CredentialCreated(result=await secrets.create(session, caller, data))


@router.get("/provider-info")
async def get_provider_info(
    _caller: Viewer, session: Read, query: Annotated[FieldsQuery, Query()]
) -> CredentialFieldsAnswer:
    """Return the fields that a provider's credentials consist of."""
    return CredentialFieldsAnswer(result=await services.fields_for(session, query.provider_name))


@router.put(CREDENTIAL)
async def update_provider_credential(
    provider_credential_id: UUID,
    data: CredentialUpdate,
    caller: Changer,
    session: Write,
    secrets: ProviderCredentialsDep,
) -> CredentialUpdated:
    """Change a credential that the caller made, or have a deployment use it."""
    return CredentialUpdated(result=await secrets.update(session, caller, provider_credential_id, data))


@router.delete(CREDENTIAL)
async def delete_provider_credential(
    provider_credential_id: UUID, caller: Changer, session: Write
) -> CredentialDeleted:
    """Delete a credential that no deployment uses."""
    await services.delete_credential(session, caller, provider_credential_id)
    return CredentialDeleted()


@router.get(CREDENTIAL + "/details")
async def get_provider_credential(provider_credential_id: UUID, caller: Reader, session: Read) -> CredentialAnswer:
    """Return a credential; secrets are masked."""
    return CredentialAnswer(result=await services.get_credential(session, caller, provider_credential_id))


@router.get(CREDENTIAL + "/detailed-view")
async def get_provider_credential_use(
    provider_credential_id: UUID, caller: Reader, session: Read
) -> CredentialDetailed:
    """Return a credential with the deployments that use it."""
    return CredentialDetailed(result=await services.credential_details(session, caller, provider_credential_id))


@router.post(CREDENTIAL + "/test")
async def test_provider_credential(
    provider_credential_id: UUID, caller: Reader, session: Write, secrets: ProviderCredentialsDep
) -> CredentialTested:
    """Ask the provider whether it accepts the credential."""
    return CredentialTested(result=await secrets.test(session, caller, provider_credential_id))
