"""The clouds in which clusters can be made, and people's access to them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import Row
from uuid_utils.compat import uuid7

from budapp.cloud_provider_ops import crud
from budapp.cloud_provider_ops.crud import CredentialCrud
from budapp.cloud_provider_ops.fields import check_values, summary_of
from budapp.cloud_provider_ops.models import CloudCredential, CloudProvider
from budapp.cloud_provider_ops.schemas import CloudCredentialCreate
from budapp.commons.access import Caller
from budapp.commons.database import ReadSession, WriteSession
from budapp.commons.encrypted_columns import seal, unseal
from budapp.commons.encryption import Encryption
from budapp.commons.errors import BadRequest, NotFound


@dataclass(frozen=True, slots=True)
class CloudAccess:
    """What budcluster needs to work in a cloud; `credentials` is JSON of the values in clear."""

    credential_id: str
    provider_id: str
    provider: str
    credentials: str = field(repr=False)


async def list_providers(session: ReadSession) -> Sequence[CloudProvider]:
    """Return all providers, by name."""
    return await crud.providers(session)


async def get_provider(session: ReadSession, _caller: Caller, provider_id: UUID) -> CloudProvider:
    """Return a provider, whoever calls: all tenants share them; or raise `NotFound`."""
    return await crud.provider(session, provider_id)


async def create_credential(session: WriteSession, caller: Caller, data: CloudCredentialCreate) -> Row[Any]:
    """Store a credential for the tenant, and return it as `CloudCredentialView` columns.

    Raises:
        NotFound: no such provider.
        BadRequest: the provider is not enabled.
        UnprocessableContent: the values are not what the provider's schema asks for.
    """
    provider = await crud.provider(session, data.provider_id)
    if not provider.is_enabled:
        raise BadRequest("The cloud provider is not enabled", param="provider_id")
    values = data.in_clear()
    check_values(provider.schema_definition, values)
    credential = CloudCredential(
        id=uuid7(),
        tenant_id=caller.tenant_id,
        user_id=caller.user_id,
        provider_id=provider.id,
        credential_name=data.credential_name,
        summary=summary_of(provider.schema_definition, values),
    )
    encryption: Encryption = session.info["encryption"]
    seal(encryption, credential, CloudCredential.values_encrypted, json.dumps(values))
    session.add(credential)
    await session.flush()
    [row] = await CredentialCrud(session, caller).shown(id=credential.id)
    return row


async def list_credentials(session: ReadSession, caller: Caller, provider_id: UUID | None) -> Sequence[Row[Any]]:
    """Return the tenant's credentials, the newest first, as `CloudCredentialView` columns."""
    return await CredentialCrud(session, caller).shown(provider_id=provider_id)


async def get_credential(session: ReadSession, caller: Caller, credential_id: UUID) -> Sequence[Row[Any]]:
    """Return the tenant's credential as the one row, or raise `NotFound`."""
    found = await CredentialCrud(session, caller).shown(id=credential_id)
    if not found:
        raise NotFound("Credential not found", param="credential_id")
    return found


async def reach_credential(session: ReadSession, caller: Caller, credential_id: UUID) -> CloudCredential:
    """Return the tenant's credential, or raise `NotFound`."""
    return await CredentialCrud(session, caller).get(credential_id)


async def check_choice(
    session: ReadSession, caller: Caller, *, provider_id: UUID | None, credential_id: UUID | None, region: str | None
) -> None:
    """Check what is said so far of where a cluster shall be made.

    Raises:
        NotFound: no such provider, or no such credential of the tenant's.
        BadRequest: the credential is another provider's, or the provider has no such region.
    """
    provider = await crud.provider(session, provider_id) if provider_id else None
    if provider is not None and not provider.is_enabled:
        raise BadRequest("The cloud provider is not enabled", param="provider_id")
    if credential_id is not None:
        [credential] = await get_credential(session, caller, credential_id)
        if provider is not None and credential.provider_id != provider.id:
            raise BadRequest("The credential is one of another provider", param="credential_id")
    if provider is not None and region and region not in {one["id"] for one in provider.regions}:
        raise BadRequest("The provider has no such region", param="region")


async def open_access(session: ReadSession, tenant_id: UUID, credential_id: UUID) -> CloudAccess:
    """Return a credential in clear, for a call of budcluster.

    Raises:
        NotFound: it is gone.
    """
    credential = await crud.credential_of_tenant(session, tenant_id, credential_id)
    if credential is None:
        raise NotFound("Credential not found", param="credential_id")
    provider = await crud.provider(session, credential.provider_id)
    encryption: Encryption = session.info["encryption"]
    values = unseal(encryption, credential, CloudCredential.values_encrypted)
    return CloudAccess(str(credential.id), str(provider.id), provider.unique_id, values)
