from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from budapp.api_key_ops.schemas import ServiceKeyCreate
from budapp.commons.access import Caller, Requires
from budapp.commons.database import Read, Write
from budapp.commons.idempotency import IdempotentRoute
from budapp.commons.scopes import Scope
from budapp.service_account_ops import services
from budapp.service_account_ops.schemas import (
    MembershipUpdate,
    RotateServiceKey,
    ServiceAccountAnswer,
    ServiceAccountCreate,
    ServiceAccountCreated,
    ServiceAccountDeleted,
    ServiceAccountList,
    ServiceAccountQuery,
    ServiceAccountUpdate,
    ServiceAccountUpdated,
    ServiceKeyCreated,
    ServiceKeyRevoked,
    ServiceKeyRotated,
    ServiceKeys,
)
from budapp.service_account_ops.services import ServiceAccountKeysDep
from budapp.user_ops.callers import CallersDep

router = APIRouter(prefix="/service-accounts", tags=["service accounts"], route_class=IdempotentRoute)

Administrator = Annotated[Caller, Depends(Requires(Scope.USER_MANAGE))]
AdministratorOf = Annotated[Caller, Depends(Requires(Scope.USER_MANAGE, row=services.get_account))]


@router.get("")
async def list_service_accounts(
    caller: Administrator, session: Read, query: Annotated[ServiceAccountQuery, Query()]
) -> ServiceAccountList:
    """List the tenant's service accounts, by name."""
    return ServiceAccountList.of(await services.list_accounts(session, caller, query))


@router.post("", status_code=201)
async def create_service_account(
    data: ServiceAccountCreate, caller: Administrator, session: Write
) -> ServiceAccountCreated:
    """Make a service account: a principal that is no person, cannot sign in, and calls with keys."""
    return ServiceAccountCreated(service_account=await services.create_account(session, caller, data))


@router.get("/{account_id}")
async def get_service_account(account_id: UUID, caller: AdministratorOf, session: Read) -> ServiceAccountAnswer:
    """Return a service account, with all that it may do."""
    return ServiceAccountAnswer(service_account=await services.account_detail(session, caller, account_id))


@router.patch("/{account_id}")
async def update_service_account(
    account_id: UUID, data: ServiceAccountUpdate, caller: AdministratorOf, session: Write, callers: CallersDep
) -> ServiceAccountUpdated:
    """Change a service account, or disable or enable it."""
    changed = await services.update_account(session, callers, caller, account_id, data)
    return ServiceAccountUpdated(service_account=changed)


@router.delete("/{account_id}")
async def delete_service_account(
    account_id: UUID, caller: AdministratorOf, session: Write, callers: CallersDep
) -> ServiceAccountDeleted:
    """Delete a service account, and revoke its keys."""
    await services.delete_account(session, callers, caller, account_id)
    return ServiceAccountDeleted()


@router.put("/{account_id}/projects/{project_id}")
async def set_service_account_membership(
    account_id: UUID, project_id: UUID, data: MembershipUpdate, caller: AdministratorOf, session: Write
) -> ServiceAccountUpdated:
    """Set what a service account may do in a project; with no scopes it leaves, and loses its keys there."""
    changed = await services.change_membership(session, caller, account_id, project_id, data)
    return ServiceAccountUpdated(service_account=changed)


@router.get("/{account_id}/keys")
async def list_service_account_keys(account_id: UUID, caller: AdministratorOf, session: Read) -> ServiceKeys:
    """List the keys of a service account, the newest first."""
    return ServiceKeys(keys=await services.list_keys(session, caller, account_id))


@router.post("/{account_id}/keys", status_code=201)
async def create_service_account_key(
    account_id: UUID, data: ServiceKeyCreate, caller: AdministratorOf, session: Write, keys: ServiceAccountKeysDep
) -> ServiceKeyCreated:
    """Make a key for a service account; the secret is shown only here."""
    return ServiceKeyCreated(key=await keys.create(session, caller, account_id, data))


@router.post("/{account_id}/keys/{credential_id}/rotate")
async def rotate_service_account_key(
    account_id: UUID,
    credential_id: UUID,
    data: RotateServiceKey,
    caller: AdministratorOf,
    session: Write,
    keys: ServiceAccountKeysDep,
) -> ServiceKeyRotated:
    """Give a key of a service account another secret, shown only here; the one before works for the grace period."""
    return ServiceKeyRotated(key=await keys.rotate(session, caller, account_id, credential_id, data.grace_seconds))


@router.delete("/{account_id}/keys/{credential_id}")
async def revoke_service_account_key(
    account_id: UUID, credential_id: UUID, caller: AdministratorOf, session: Write
) -> ServiceKeyRevoked:
    """Revoke a key of a service account for good."""
    await services.revoke_key(session, caller, account_id, credential_id)
    return ServiceKeyRevoked()
