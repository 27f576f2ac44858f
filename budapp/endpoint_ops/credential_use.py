"""What deployments have to do with the credentials of providers."""

from collections.abc import Sequence
from uuid import UUID

from budapp.commons.access import Caller
from budapp.commons.database import ReadSession, WriteSession
from budapp.commons.errors import BadRequest, NotFound
from budapp.commons.scopes import Scope
from budapp.endpoint_ops import credential_crud as crud
from budapp.project_ops.services import require_project
from budapp.provider_credential_ops.models import ProviderCredential
from budapp.provider_credential_ops.schemas import LinkedEndpoint, ModelInfo, ProjectInfo


async def endpoints_of(session: ReadSession, credential: ProviderCredential) -> Sequence[LinkedEndpoint]:
    """Return the endpoints that are called with the credential, newest first."""
    rows = await crud.of_credential(session, credential.tenant_id, credential.id)
    return [
        LinkedEndpoint(
            id=row.id,
            name=row.name,
            status=row.status,
            created_at=row.created_at,
            project_info=ProjectInfo.model_validate(row.Project),
            model_info=ModelInfo.model_validate(row.Model),
        )
        for row in rows
    ]


async def use_credential(
    session: WriteSession, caller: Caller, endpoint_id: UUID, credential: ProviderCredential
) -> None:
    """Have the endpoint called with the credential.

    Raises:
        NotFound: no such endpoint, or out of reach.
        Forbidden: the caller may not manage endpoints in its project.
        BadRequest: its model is not one of the credential's provider.
    """
    found = await crud.lock_with_source(session, caller.tenant_id, endpoint_id)
    if found is None:
        raise NotFound("Endpoint not found", param="endpoint_id")
    try:
        await require_project(session, caller, found.Endpoint.project_id, Scope.ENDPOINT_MANAGE)
    except NotFound as error:
        raise NotFound("Endpoint not found", param="endpoint_id") from error
    if found.source != credential.type:
        raise BadRequest("The model of this deployment is of another provider", param="endpoint_id")
    found.Endpoint.credential_id = credential.id
    await session.flush()
