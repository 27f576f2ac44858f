"""API keys: a person's in a project, for the gateway. A secret is shown when it is made, and never again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row
from uuid_utils.compat import uuid7

from budapp.api_key_ops import crud, limits, secrets
from budapp.api_key_ops.models import ApiKeyPolicy, Credential, CredentialType
from budapp.api_key_ops.schemas import (
    KeyCreate,
    KeyListed,
    KeyQuery,
    KeyUpdate,
    KeyView,
    Policy,
    PolicyUpdate,
    RevokeRequest,
    ServiceKeyCreate,
    ServiceKeyView,
    Verdict,
)
from budapp.commons.access import Caller
from budapp.commons.crud import Page
from budapp.commons.database import ReadSession, WriteSession, now
from budapp.commons.domain import provided
from budapp.commons.encrypted_columns import seal
from budapp.commons.encryption import DecryptionError, Encryption
from budapp.commons.errors import BadRequest, Conflict, Forbidden
from budapp.commons.integrity import conflict_on
from budapp.commons.scopes import Scope
from budapp.events.notify import notify_users
from budapp.integrations.recipients import Recipients
from budapp.project_ops.hooks import Removal
from budapp.project_ops.models import Project
from budapp.project_ops.services import MANAGING, RequiresInProject, get_project, require_project
from budapp.tenant_ops.services import get_tenant
from budapp.user_ops.rights import manageable, scopes_held

CALLING = RequiresInProject(Scope.ENDPOINT_VIEW)
"""What making a key asks for in its project: a key opens no more than its owner may call."""

_CONTEXT = "credential:{}"
_NEVER = 0


async def get_key(session: ReadSession, caller: Caller, credential_id: UUID) -> Credential:
    """Return the key: the caller's own, or for administrators any of the tenant; `NotFound` else."""
    return await crud.ApiKeyCrud(session, caller).get(credential_id)


async def delete_key(session: WriteSession, caller: Caller, credential_id: UUID) -> None:
    """Revoke the key for good, or raise `NotFound`."""
    await session.delete(await crud.ApiKeyCrud(session, caller).get(credential_id, for_update=True))


async def revoke_all(session: WriteSession, caller: Caller, data: RevokeRequest) -> int:
    """Revoke all keys of a person or in a project, and return their number.

    Raises:
        NotFound: no such person or project, or out of reach.
        Forbidden: the caller may not manage them.
    """
    concerned = []
    if data.project_id is not None:
        project = await MANAGING.check(session, caller, data.project_id, lock="share")
        concerned.append(crud.of_project(project.id))
    if data.user_id is not None:
        await (manageable if data.project_id is None else scopes_held)(session, caller, data.user_id)
        concerned.append(crud.of_user(data.user_id))
    keys = await crud.ApiKeyCrud(session, caller).all_of(*concerned)
    for key in keys:
        await session.delete(key)
    return len(keys)


async def get_policy(session: ReadSession, caller: Caller) -> Policy:
    """Return what the tenant has set for its keys."""
    return Policy.model_validate(await crud.policy(session, caller.tenant_id) or Policy())


async def set_policy(session: WriteSession, caller: Caller, data: PolicyUpdate) -> Policy:
    """Set the tenant's defaults for keys that are made from now on."""
    await get_tenant(session, caller.tenant_id)
    row = await crud.policy(session, caller.tenant_id, for_update=True)
    if row is None:
        row = ApiKeyPolicy(tenant_id=caller.tenant_id)
        session.add(row)
    row.default_expiry_days, row.notify_days = data.default_expiry_days, data.notify_days
    with conflict_on("uq_api_key_policy_tenant_id", Conflict("Somebody else has just set this; look again")):
        await session.flush()
    return Policy.model_validate(row)


@dataclass(frozen=True, slots=True)
class ApiKeys:
    """What is done with the secrets themselves."""

    encryption: Encryption
    recipients: Recipients
    peppers: secrets.Peppers

    async def page(self, session: ReadSession, caller: Caller, query: KeyQuery) -> Page:
        """Return a page of the caller's keys, for administrators of the tenant's."""
        own = CredentialType.CLIENT_APP if caller.is_client else CredentialType.ADMIN_APP
        return await crud.ApiKeyCrud(session, caller).page_of_keys(query, query.credential_type or own)

    def listed(self, found: Row[Any]) -> KeyListed:
        """Return a row of the page as it is shown."""
        row: Mapping[str, Any] = dict(found._mapping)
        return KeyListed.model_validate(
            {
                **row,
                "key": self._for_browser(row) or row["masked_key"],
                "is_expired": bool(row["is_expired"]),
                "project": {"id": row["project_id"], "name": row["project_name"]},
                "owner": {"id": row["user_id"], "name": row["owner_name"]},
            }
        )

    async def create(self, session: WriteSession, caller: Caller, data: KeyCreate) -> KeyView:
        """Make a key, and return it with its secret.

        Raises:
            NotFound: no such project, or out of reach; or there is nothing of what the key is limited to.
            Forbidden: the caller may not call deployments of the project.
            BadRequest: the project is for keys of the other type, or an address is none.
            Conflict: the project has a key of that name.
            UnprocessableContent: the budgets do not add up.
        """
        project = await _callable_project(session, caller, data.project_id or UUID(int=0))
        key = await _new_key(session, caller, data, project.id, _type_of(caller, data, project))
        await limits.check(session, project, key)
        secret = self._set_secret(key, await _kind_of(session, key))
        session.add(key)
        await _flush_name(session)
        if key.credential_type == CredentialType.CLIENT_APP:
            await _tell_creation(session, key, project)
        return _view(key, secret)

    async def issue(
        self, session: WriteSession, account: Caller, data: ServiceKeyCreate, *, issued_by: UUID
    ) -> ServiceKeyView:
        """Make a key for a service account, and return it with its secret.

        Raises:
            NotFound: the account reaches no such project; or there is nothing of what the key is limited to.
            Forbidden: the account may not call deployments of the project.
            BadRequest: an address is none.
            Conflict: the project, or the account, has a key of that name.
            UnprocessableContent: the budgets do not add up.
        """
        project = await _callable_project(session, account, data.project_id) if data.project_id else None
        key = await _new_key(session, account, data, data.project_id, CredentialType.ADMIN_APP)
        key.issued_by = issued_by
        await limits.check(session, project, key)
        secret = self._set_secret(key, "service")
        session.add(key)
        await _flush_name(session)
        return service_view(key, secret)

    async def update(self, session: WriteSession, caller: Caller, credential_id: UUID, data: KeyUpdate) -> KeyView:
        """Change what was sent: whoever owns the key may, and administrators.

        Raises:
            NotFound: no such key, or out of reach; or there is nothing of what the key is to be limited to.
            BadRequest, Conflict, UnprocessableContent: see `create`.
        """
        key = await crud.ApiKeyCrud(session, caller).get(credential_id, for_update=True)
        if key.project_id is None:
            raise BadRequest("A key that is in no project can't be changed; make another, and revoke this one")
        changes = limits.as_stored(data.changes())
        if "expiry" in changes:
            changes["expiry"] = now() + timedelta(days=changes["expiry"]) if changes["expiry"] else None
            key.expiry_notified_at = None
        for name, value in changes.items():
            setattr(key, name, value)
        _refuse_limits_of_open_key(key, changes)
        await limits.check(session, await crud.project_of(session, key), key)
        await _flush_name(session)
        return _view(key, key.masked_key)

    async def rotate(self, session: WriteSession, caller: Caller, credential_id: UUID, grace_seconds: int) -> KeyView:
        """Give the key another secret, and return it; the one before works for the grace period.

        A secret from before that one, whose own grace is not over, ends at once.

        Raises:
            NotFound: no such key, or out of reach.
            Forbidden: it is somebody else's, whose secret is nobody's to see.
            BadRequest: it has expired.
        """
        key = await crud.ApiKeyCrud(session, caller).get(credential_id, for_update=True)
        if key.user_id != caller.user_id:
            raise Forbidden("Only its owner can rotate a key; you can revoke it")
        return _view(key, await self._rotate(session, key, await _kind_of(session, key), grace_seconds))

    async def reissue(
        self, session: WriteSession, account: Caller, credential_id: UUID, grace_seconds: int
    ) -> ServiceKeyView:
        """Give a service account's key another secret, as `rotate` does.

        Raises:
            NotFound: the account has no such key.
            BadRequest: it has expired.
        """
        key = await crud.ApiKeyCrud(session, account).get(credential_id, for_update=True)
        return service_view(key, await self._rotate(session, key, "service", grace_seconds))

    async def _rotate(self, session: WriteSession, key: Credential, kind: str, grace_seconds: int) -> str:
        if key.expiry is not None and key.expiry <= now():
            raise BadRequest("The key has expired; give it another expiry first", param="expiry")
        hashed, digest = key.hashed_key, key.key_hmac
        await session.flush()
        secret = self._set_secret(key, kind)
        graceful = grace_seconds > 0
        key.previous_hashed_key = hashed if graceful else None
        key.previous_key_hmac = digest if graceful else None
        key.previous_expires_at = _earlier(now() + timedelta(seconds=grace_seconds), key.expiry) if graceful else None
        await session.flush()
        return secret

    async def verify(self, session: ReadSession, caller: Caller, key: str) -> Verdict:
        """Say what has become of a secret that somebody has found, such as in a repository."""
        if not secrets.is_well_formed(key):
            return Verdict(outcome="malformed")
        found = await crud.ApiKeyCrud(session, caller).with_hash(secrets.lookup_hash(key))
        if found is None:
            return Verdict(outcome="unknown")
        current = self.peppers.matches(key, found.key_hmac)
        if not current and not self.peppers.matches(key, found.previous_key_hmac):
            return Verdict(outcome="unknown")
        ends = found.expiry if current else found.previous_expires_at
        outcome = "expired" if ends is not None and ends <= now() else "valid"
        return Verdict.model_validate({"outcome": outcome, "id": found.id, "name": found.name})

    async def find_account(
        self, session: ReadSession, secret: str
    ) -> tuple[Row[Any], Credential, datetime | None] | None:
        """Return the service account behind a secret, as columns of `people`; the key; and when the secret ends.

        None where the secret is none, or over, or its account is disabled.
        """
        row = await crud.admitted(session, secrets.lookup_hash(secret))
        if row is None:
            return None
        key: Credential = row.Credential
        current = self.peppers.matches(secret, key.key_hmac)
        previous = self.peppers.matches(secret, key.previous_key_hmac)
        ends = key.expiry if current else key.previous_expires_at
        counts = (current or previous) and (ends is None or ends > now())
        return (row, key, ends) if counts else None

    def _set_secret(self, key: Credential, kind: str) -> str:
        secret = secrets.new_secret(kind)
        key.hashed_key, key.key_hmac = secrets.lookup_hash(secret), self.peppers.digest(secret)
        key.masked_key = secrets.masked(secret)
        browser = self.recipients.browser
        if browser is not None:
            seal(self.encryption, key, Credential.encrypted_key, browser.encrypt(secret))
        else:
            key.encrypted_key = None
        return secret

    def _for_browser(self, row: Mapping[str, Any]) -> str | None:
        """Return the secret as the owner's browser can read it, where there is such a thing."""
        if row["encrypted_key"] is None or self.recipients.browser is None:
            return None
        try:
            return self.encryption.decrypt(row["encrypted_key"], _CONTEXT.format(row["id"]))
        except DecryptionError:
            return None


ApiKeysDep = Annotated[ApiKeys, provided(ApiKeys)]

_NARROWING = ("endpoint_ids", "model_ids", "model_budgets")
"""The limits by which a key does not open all that is published."""
_NO_LIMIT: tuple[Any, ...] = (None, {})
_LIMITS = ("max_budget", "model_budgets", "ip_whitelist", "endpoint_ids", "model_ids")


async def _new_key(
    session: ReadSession,
    owner: Caller,
    data: KeyCreate | ServiceKeyCreate,
    project_id: UUID | None,
    credential_type: str,
) -> Credential:
    return Credential(
        id=uuid7(),
        tenant_id=owner.tenant_id,
        user_id=owner.user_id,
        project_id=project_id,
        name=data.name,
        credential_type=credential_type,
        expiry=await _expiry(session, owner, data),
        **limits.as_stored(data.model_dump(include=set(_LIMITS))),
    )


async def keys_of(session: ReadSession, owner_id: UUID) -> Sequence[Credential]:
    """Return all keys of somebody, the newest first."""
    return await crud.keys_of(session, owner_id)


async def delete_keys_of(session: WriteSession, owner_id: UUID) -> None:
    """Revoke all keys of somebody."""
    await crud.remove(session, crud.of_user(owner_id))


async def note_uses(session: WriteSession, uses: Mapping[UUID, datetime]) -> None:
    """Write down when keys were used, in one statement."""
    await crud.note_uses(session, uses)


async def before_project_removal(session: WriteSession, removal: Removal) -> None:
    concerned = [crud.of_project(removal.project_id)]
    if removal.user_ids is not None:
        concerned.append(crud.of_users(removal.user_ids))
    await _clear(session, *concerned, allowed=removal.remove_credentials)


async def before_user_deletion(session: WriteSession, user_id: UUID, remove_credentials: bool) -> None:
    await _clear(session, crud.of_user(user_id), allowed=remove_credentials)


async def _clear(session: WriteSession, *concerned: ColumnElement[bool], allowed: bool) -> None:
    if allowed:
        await crud.remove(session, *concerned)
    elif await crud.exist(session, *concerned):
        raise BadRequest(
            "API keys would be deleted too; confirm with remove_credential=true", param="remove_credential"
        )


async def _callable_project(session: WriteSession, caller: Caller, project_id: UUID) -> Project:
    if caller.is_client:
        await get_project(session, caller, project_id)
        return await crud.lock_project(session, project_id)
    return await require_project(session, caller, project_id, Scope.ENDPOINT_VIEW, lock="share")


def _type_of(caller: Caller, data: KeyCreate, project: Project) -> str:
    wanted = CredentialType.CLIENT_APP if caller.is_client else data.credential_type or CredentialType.ADMIN_APP
    if wanted != project.project_type:
        name = wanted.upper()
        raise BadRequest(f"{name} credentials can only be created for {name} projects", param="credential_type")
    return wanted


async def _expiry(session: ReadSession, caller: Caller, data: KeyCreate | ServiceKeyCreate) -> datetime | None:
    days = data.expiry or _NEVER
    if "expiry" not in data.model_fields_set:
        days = (await get_policy(session, caller)).default_expiry_days or _NEVER
    return now() + timedelta(days=days) if days else None


async def _kind_of(session: ReadSession, key: Credential) -> str:
    """Return the kind of secret: the gateway opens every published model of the platform to a `client` one."""
    if key.credential_type == CredentialType.ADMIN_APP:
        return "admin"
    limited = any(getattr(key, name) not in _NO_LIMIT for name in _NARROWING)
    is_platform = (await get_tenant(session, key.tenant_id)).is_platform
    return "client" if is_platform and not limited else "customer"


def _refuse_limits_of_open_key(key: Credential, changes: Mapping[str, Any]) -> None:
    found = next((name for name in _NARROWING if changes.get(name) not in _NO_LIMIT), None)
    if found is not None and key.masked_key.startswith("bud_client_"):
        message = "The gateway opens every published model to this key; make another key with these limits"
        raise BadRequest(message, param=found)


def _earlier(one: datetime, other: datetime | None) -> datetime:
    return min(one, other) if other is not None else one


def _view(key: Credential, secret: str) -> KeyView:
    return KeyView(**_shown(key, secret, KeyView))


def service_view(key: Credential, secret: str | None = None) -> ServiceKeyView:
    """Return a service account's key as it is shown; masked where no secret is given."""
    return ServiceKeyView(**_shown(key, secret or key.masked_key, ServiceKeyView))


def _shown(key: Credential, secret: str, view: type[KeyView]) -> dict[str, Any]:
    names = set(view.model_fields) - {"key", "is_expired"}
    expired = key.expiry is not None and key.expiry <= now()
    return {"key": secret, "is_expired": expired, **{name: getattr(key, name) for name in names}}


async def _flush_name(session: WriteSession) -> None:
    taken = Conflict("The project has a key of that name already", param="name")
    in_no_project = Conflict("The account has a key of that name already", param="name")
    with (
        conflict_on("uq_credential_project_id_name", taken),
        conflict_on("uq_credential_user_id_name_in_no_project", in_no_project),
    ):
        await session.flush()


async def _tell_creation(session: WriteSession, key: Credential, project: Project) -> None:
    await notify_users(
        session,
        aggregate=f"project:{project.id}",
        subscriber_ids=[key.user_id],
        type="credential_creation",
        title="Client App API Key Created",
        message=f"{key.name} has been made in {project.name}",
        icon=project.icon,
        target=("project", project.id),
    )
