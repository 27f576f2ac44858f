"""Service accounts: principals that are no people, for jobs that call budapp, or deployments, with a key.

They are rows of `user` that no realm of Keycloak knows, so there is no password to guess and no session to steal: the
one way in is a key. Nobody gives them more than they hold themselves, and they never hold what rules over people or
keys.
"""

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from uuid_utils.compat import uuid7

from budapp.api_key_ops import services as api_keys
from budapp.api_key_ops.models import Credential
from budapp.api_key_ops.schemas import ServiceKeyCreate, ServiceKeyView
from budapp.api_key_ops.services import ApiKeys
from budapp.commons.access import Caller
from budapp.commons.crud import Page
from budapp.commons.database import ReadSession, WriteSession, now
from budapp.commons.domain import provided
from budapp.commons.errors import BadRequest, Conflict, NotFound
from budapp.commons.integrity import conflict_on
from budapp.commons.scopes import Scope, UserRole, UserType
from budapp.project_ops.members import set_membership
from budapp.project_ops.services import memberships_of, require_project, require_scopes
from budapp.role_ops.services import manageable_role
from budapp.service_account_ops import crud
from budapp.service_account_ops.crud import ServiceAccountCrud
from budapp.service_account_ops.models import ServiceAccount
from budapp.service_account_ops.schemas import (
    MembershipUpdate,
    ServiceAccountCreate,
    ServiceAccountDetail,
    ServiceAccountQuery,
    ServiceAccountUpdate,
)
from budapp.user_ops.callers import Callers
from budapp.user_ops.identity import caller_of, held_by
from budapp.user_ops.models import ServiceRights, User, UserStatus
from budapp.user_ops.rights import refuse_more_than_own

_COLOR = "#B1B1B1"
_RESTING_ROLE = UserRole.TESTER
"""Stands in the row of an account that has no built-in role, and counts for nothing there."""


async def list_accounts(session: ReadSession, caller: Caller, query: ServiceAccountQuery) -> Page:
    """Return a page of the tenant's service accounts, by name."""
    return await ServiceAccountCrud(session, caller).page_of_accounts(query)


async def get_account(session: ReadSession, caller: Caller, account_id: UUID) -> ServiceAccount:
    """Return the service account of the caller's tenant, or raise `NotFound`."""
    return await ServiceAccountCrud(session, caller).get(account_id)


async def account_detail(session: ReadSession, caller: Caller, account_id: UUID) -> ServiceAccountDetail:
    """Return the account with all that it may do.

    Raises:
        NotFound: the tenant has no such account.
    """
    found = ServiceAccountCrud(session, caller)
    row, user = await found.view(account_id), await found.user_of(account_id)
    projects = await memberships_of(session, caller, account_id)
    return ServiceAccountDetail.model_validate(
        {
            **row._mapping,
            "scopes": sorted(held_by(user)),
            "projects": [{"project_id": one.id, "name": one.name, "scopes": one.scopes} for one in projects],
        }
    )


async def create_account(session: WriteSession, caller: Caller, data: ServiceAccountCreate) -> ServiceAccountDetail:
    """Make a service account, which outlives its maker.

    Raises:
        NotFound: there is no such custom role.
        Forbidden: it would hold more than the caller.
        Conflict: the name is taken.
    """
    own_id = uuid7()
    user = User(
        id=own_id,
        tenant_id=caller.tenant_id,
        auth_id=f"service:{own_id}",
        name=data.name,
        email=f"{own_id}@service-accounts.invalid",
        user_type=UserType.ADMIN,
        status=UserStatus.ACTIVE,
        color=_COLOR,
        first_login=False,
        is_reset_password=False,
    )
    await _set_rights(session, caller, user, data)
    session.add(user)
    await session.flush()
    named = {"name": data.name, "description": data.description}
    session.add(ServiceAccount(id=own_id, tenant_id=caller.tenant_id, created_by=caller.user_id, **named))
    await _flush_name(session)
    return await account_detail(session, caller, own_id)


async def update_account(
    session: WriteSession, callers: Callers, caller: Caller, account_id: UUID, data: ServiceAccountUpdate
) -> ServiceAccountDetail:
    """Change what is given; a disabled account's keys open nothing until it is enabled again.

    Raises:
        NotFound: there is no such account, or custom role.
        Forbidden: it holds more than the caller, or would.
        Conflict: the name is taken.
    """
    account, user = await _lock(session, caller, account_id)
    if data.name is not None:
        account.name = user.name = data.name
    if "description" in data.model_fields_set:
        account.description = data.description
    if data.changes_rights:
        await _set_rights(session, caller, user, data)
    if data.enabled is not None:
        user.status = UserStatus.ACTIVE if data.enabled else UserStatus.DELETED
    callers.forget_after_commit(session, user.id)
    await _flush_name(session)
    return await account_detail(session, caller, account_id)


async def delete_account(session: WriteSession, callers: Callers, caller: Caller, account_id: UUID) -> None:
    """Delete the account and revoke its keys; what it did stays under its name in the audit trail.

    Raises:
        NotFound: there is no such account.
        Forbidden: it holds more than the caller.
    """
    account, user = await _lock(session, caller, account_id)
    await api_keys.delete_keys_of(session, account_id)
    user.status, user.custom_role = UserStatus.DELETED, None
    await session.delete(account)
    await session.flush()
    callers.forget_after_commit(session, user.id)


async def change_membership(
    session: WriteSession, caller: Caller, account_id: UUID, project_id: UUID, data: MembershipUpdate
) -> ServiceAccountDetail:
    """Have the account hold just these scopes in the project.

    Raises:
        NotFound: there is no such account or project, or it is out of reach.
        Forbidden: the caller may not manage the project, or gives more than they hold in it.
        BadRequest: it is a customer's project.
    """
    await _lock(session, caller, account_id)
    await set_membership(session, caller, project_id, account_id, data.scopes)
    return await account_detail(session, caller, account_id)


async def list_keys(session: ReadSession, caller: Caller, account_id: UUID) -> list[ServiceKeyView]:
    """Return the account's keys, the newest first, masked.

    Raises:
        NotFound: there is no such account.
    """
    await get_account(session, caller, account_id)
    return [api_keys.service_view(key) for key in await api_keys.keys_of(session, account_id)]


@dataclass(frozen=True, slots=True)
class ServiceAccountKeys:
    """What is done with the secrets of service accounts."""

    keys: ApiKeys

    async def create(
        self, session: WriteSession, caller: Caller, account_id: UUID, data: ServiceKeyCreate
    ) -> ServiceKeyView:
        """Make a key for the account, and return it with its secret.

        Raises:
            NotFound: there is no such account; the caller or the account reaches no such project.
            Forbidden: the account, in whatever project, may do more than the caller; or it may not call there.
            BadRequest: the account is disabled.
            Conflict: there is a key of that name.
        """
        account = await _as_caller(session, caller, account_id)
        if data.project_id is not None:
            await require_project(session, caller, data.project_id, Scope.ENDPOINT_VIEW)
        return await self.keys.issue(session, account, data, issued_by=caller.user_id)

    async def rotate(
        self, session: WriteSession, caller: Caller, account_id: UUID, credential_id: UUID, grace_seconds: int
    ) -> ServiceKeyView:
        """Give the key another secret, and return it; the one before works for the grace period.

        Raises:
            NotFound: there is no such account or key.
            Forbidden: the account, in whatever project, may do more than the caller.
            BadRequest: the account is disabled, or the key has expired.
        """
        account = await _as_caller(session, caller, account_id)
        return await self.keys.reissue(session, account, credential_id, grace_seconds)


async def revoke_key(session: WriteSession, caller: Caller, account_id: UUID, credential_id: UUID) -> None:
    """Revoke a key of the account, or raise `NotFound`."""
    await get_account(session, caller, account_id)
    key: Credential = await api_keys.get_key(session, caller, credential_id)
    if key.user_id != account_id:
        raise NotFound("Credential not found")
    await api_keys.delete_key(session, caller, credential_id)


ServiceAccountKeysDep = Annotated[ServiceAccountKeys, provided(ServiceAccountKeys)]


async def _lock(session: WriteSession, caller: Caller, account_id: UUID) -> tuple[ServiceAccount, User]:
    """Return the account and its row of `user`, locked, unless it may do more than the caller."""
    found = ServiceAccountCrud(session, caller)
    account = await found.get(account_id, for_update=True)
    user = await found.user_of(account_id, for_update=True)
    refuse_more_than_own(caller, held_by(user))
    return account, user


async def _as_caller(session: WriteSession, caller: Caller, account_id: UUID) -> Caller:
    """Return the account as a caller, once it is known that it may do nothing that the caller may not.

    Who has its key can do all that it may: so whoever is shown one must hold that themselves.
    """
    _, user = await _lock(session, caller, account_id)
    if user.status != UserStatus.ACTIVE:
        raise BadRequest("The service account is disabled; enable it first")
    for project_id, scopes in (await crud.memberships(session, account_id)).items():
        await require_scopes(session, caller, project_id, scopes)
    return caller_of(user, realm=caller.realm, session_id="", token_expires_at=now())


async def _set_rights(
    session: WriteSession, caller: Caller, user: User, data: ServiceAccountCreate | ServiceAccountUpdate
) -> None:
    user.custom_role = None
    if data.custom_role_id is not None:
        user.custom_role = await manageable_role(session, caller, data.custom_role_id, for_update=True)
    has_role = data.role is not None or data.custom_role_id is not None
    user.role = data.role or _RESTING_ROLE
    user.service_rights = ServiceRights.ROLE if has_role else ServiceRights.PROJECTS
    refuse_more_than_own(caller, held_by(user))


async def _flush_name(session: WriteSession) -> None:
    taken = Conflict("There is a service account of this name already; choose another", param="name")
    with conflict_on("uq_service_account_tenant_id_name", taken):
        await session.flush()
