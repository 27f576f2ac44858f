"""What providers of models know a tenant by. A secret is never returned whole: providers and the gateway get it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from uuid_utils.compat import uuid7

from budapp.commons.access import Caller
from budapp.commons.crud import Page
from budapp.commons.database import ReadSession, WriteSession, release
from budapp.commons.domain import provided
from budapp.commons.encrypted_columns import seal, unseal
from budapp.commons.encryption import Encryption
from budapp.commons.errors import BadRequest, Conflict, Forbidden, NotFound, UnprocessableContent
from budapp.commons.hooks import hooks_of
from budapp.commons.integrity import conflict_on
from budapp.commons.scopes import Scope
from budapp.integrations.outgoing import Outgoing
from budapp.integrations.recipients import Recipients
from budapp.provider_credential_ops import checks, crud, hooks
from budapp.provider_credential_ops.fields import DEFAULT, ProviderFields, fields_of, masked
from budapp.provider_credential_ops.models import ProviderCredential
from budapp.provider_credential_ops.schemas import (
    CredentialCreate,
    CredentialDetails,
    CredentialField,
    CredentialFields,
    CredentialQuery,
    CredentialUpdate,
    CredentialView,
    LinkedEndpoint,
    TestOutcome,
)
from budapp.provider_ops.services import find_provider

GATEWAY_FIELD = "api_key"
"""The secret that the gateway sends to a provider."""

_SAYS = {
    "valid": "The provider accepts the credential",
    "refused": "The provider refuses the credential; check its fields",
    "unchecked": "This provider offers no way to check a credential; deploy a model with it to see",
}


async def fields_for(session: ReadSession, type: str) -> CredentialFields:
    """Return the fields that the provider asks for.

    Raises:
        NotFound: no such provider.
    """
    found = await _fields(session, type)
    numbered = [CredentialField(**field.model_dump(), order=place) for place, field in enumerate(found.fields, 1)]
    return CredentialFields(provider_name=type, credentials=numbered, can_be_tested=found.check is not None)


async def list_credentials(session: ReadSession, caller: Caller, query: CredentialQuery) -> Page:
    """Return a page of the tenant's credentials, newest first."""
    return await crud.ProviderCredentialCrud(session, caller).page_of_credentials(query)


async def get_credential(session: ReadSession, caller: Caller, credential_id: UUID) -> CredentialView:
    """Return the credential, with its secrets masked, or raise `NotFound`."""
    return _view(await crud.ProviderCredentialCrud(session, caller).get(credential_id))


async def reach_changeable(session: ReadSession, caller: Caller, credential_id: UUID) -> None:
    """Pass where the caller made the credential, or is an administrator.

    Raises:
        NotFound: no such credential.
        Forbidden: somebody else made it, and the caller lacks user:manage.
    """
    _refuse_others(await crud.ProviderCredentialCrud(session, caller).get(credential_id), caller, administrators=True)


async def credential_details(session: ReadSession, caller: Caller, credential_id: UUID) -> CredentialDetails:
    """Return the credential with the deployments that use it, or raise `NotFound`."""
    row = await crud.ProviderCredentialCrud(session, caller).get(credential_id)
    provider = await find_provider(session, id=row.provider_id) if row.provider_id else None
    linked = await hooks_of(session).one(hooks.endpoints)(session, row)
    return CredentialDetails.model_validate(
        {
            **_view(row).model_dump(),
            "created_at": row.created_at,
            "provider_icon": provider.icon if provider else None,
            "num_of_endpoints": len(linked),
            "endpoints": linked,
        }
    )


async def require_credential(
    session: ReadSession, tenant_id: UUID, credential_id: UUID, provider_type: str
) -> ProviderCredential:
    """Return the tenant's credential for models of the provider, to deploy one with.

    Raises:
        NotFound: the tenant has no such credential.
        BadRequest: it is one of another provider.
    """
    found = await crud.find(session, tenant_id, credential_id)
    if found is None:
        raise NotFound("Credential not found", param="credential_id")
    if found.type != provider_type:
        raise BadRequest(f"The credential is not one of {provider_type}", param="credential_id")
    return found


@dataclass(frozen=True, slots=True)
class ProviderCredentials:
    """What is done with the secrets themselves."""

    encryption: Encryption
    recipients: Recipients
    outgoing: Outgoing

    async def create(self, session: WriteSession, caller: Caller, data: CredentialCreate) -> CredentialView:
        """Keep a credential.

        Raises:
            NotFound: no such provider.
            UnprocessableContent: the fields are not those that the provider asks for.
            Conflict: the caller has one of that name for the provider.
        """
        asked = await _fields(session, data.type, param="type")
        row = ProviderCredential(
            id=uuid7(),
            tenant_id=caller.tenant_id,
            user_id=caller.user_id,
            name=data.name,
            type=data.type,
            provider_id=await _provider_id(session, data),
        )
        self._keep(row, asked, asked.validate_values(data.other_provider_creds))
        session.add(row)
        await _flush_name(session)
        return _view(row)

    async def update(
        self, session: WriteSession, caller: Caller, credential_id: UUID, data: CredentialUpdate
    ) -> CredentialView:
        """Change what is given, and have a deployment use the credential where one is named.

        Raises:
            NotFound: no such credential or deployment, or out of reach.
            Forbidden: somebody else made the credential (administrators may change all but its fields, which would
                send the secret elsewhere), or the caller may not manage the deployment.
            BadRequest: the type is to change, or the deployment is of another provider.
            UnprocessableContent, Conflict: see `create`.
        """
        row = await crud.ProviderCredentialCrud(session, caller).get(credential_id, for_update=True)
        _refuse_others(row, caller, administrators=data.other_provider_creds is None)
        if data.type != row.type:
            raise BadRequest("The type of a credential can't be changed; make another one", param="type")
        if data.other_provider_creds is not None:
            asked = await _fields(session, row.type)
            self._keep(row, asked, asked.validate_values(self._merged(row, data.other_provider_creds)))
        row.name = data.name or row.name
        await _flush_name(session)
        if data.endpoint_id is not None:
            await hooks_of(session).one(hooks.link)(session, caller, data.endpoint_id, row)
        return _view(row)

    async def test(self, session: WriteSession, caller: Caller, credential_id: UUID) -> TestOutcome:
        """Ask the provider whether it accepts the credential.

        Raises:
            NotFound: no such credential.
            BadRequest, PeerFailed, Unavailable: see `checks.try_out`.
        """
        row = await crud.ProviderCredentialCrud(session, caller).get(credential_id)
        check = (await _fields(session, row.type)).check
        values = self.values_of(row)
        await release(session)
        outcome = await checks.try_out(self.outgoing, check, values) if check is not None else "unchecked"
        return TestOutcome(id=credential_id, outcome=outcome, message=_SAYS[outcome])

    def values_of(self, row: ProviderCredential) -> dict[str, str]:
        """Return all fields in clear, for a request to the provider."""
        secrets: dict[str, str] = json.loads(unseal(self.encryption, row, ProviderCredential.secrets_encrypted))
        return {**row.settings, **secrets}

    def address_to_gateway(self, row: ProviderCredential) -> bool:
        """Encrypt the key for the gateway anew where the gateway's key is another one now; tell whether it was."""
        gateway = self.recipients.gateway
        if row.gateway_key_id == (gateway.id if gateway else None):
            return False
        self._address(row, self.values_of(row).get(GATEWAY_FIELD))
        return True

    def _merged(self, row: ProviderCredential, given: Mapping[str, Any]) -> dict[str, Any]:
        """Lay what is given over what is kept; a mask that comes back unchanged is no new secret."""
        new = {name: value for name, value in given.items() if value != row.masked.get(name)}
        return {**self.values_of(row), **new}

    def _keep(self, row: ProviderCredential, asked: ProviderFields, values: Mapping[str, str]) -> None:
        secrets = {name: value for name, value in values.items() if asked.is_secret(name)}
        row.settings = {name: value for name, value in values.items() if name not in secrets}
        row.masked = {name: masked(value) for name, value in secrets.items()}
        seal(self.encryption, row, ProviderCredential.secrets_encrypted, json.dumps(secrets))
        self._address(row, secrets.get(GATEWAY_FIELD))

    def _address(self, row: ProviderCredential, key: str | None) -> None:
        gateway = self.recipients.gateway
        if gateway is not None and key is not None and len(key.encode()) > gateway.max_bytes:
            message = f"{GATEWAY_FIELD} must be at most {gateway.max_bytes} bytes long for the gateway to read it"
            raise UnprocessableContent(message, param="other_provider_creds")
        row.gateway_key = gateway.encrypt(key) if gateway and key else None
        row.gateway_key_id = gateway.id if gateway else None


ProviderCredentialsDep = Annotated[ProviderCredentials, provided(ProviderCredentials)]


async def delete_credential(session: WriteSession, caller: Caller, credential_id: UUID) -> None:
    """Delete the credential: whoever made it may, and administrators.

    Raises:
        NotFound: no such credential.
        Forbidden: somebody else made it, and the caller lacks user:manage.
        BadRequest: deployments use it; their projects are named.
    """
    row = await crud.ProviderCredentialCrud(session, caller).get(credential_id, for_update=True)
    _refuse_others(row, caller, administrators=True)
    linked = await hooks_of(session).one(hooks.endpoints)(session, row)
    if linked:
        raise BadRequest(f"Deployments use the credential, in {_projects_of(linked)}; delete them first")
    await session.delete(row)


def _refuse_others(row: ProviderCredential, caller: Caller, *, administrators: bool) -> None:
    if row.user_id != caller.user_id and not (administrators and caller.may(Scope.USER_MANAGE)):
        who = "who made the credential, or an administrator," if administrators else "who made the credential"
        raise Forbidden(f"Only {who} can do this")


def _projects_of(linked: Sequence[LinkedEndpoint]) -> str:
    return ", ".join(sorted({endpoint.project_info.name for endpoint in linked}))


def _view(row: ProviderCredential) -> CredentialView:
    return CredentialView(id=row.id, name=row.name, type=row.type, other_provider_creds=row.shown)


async def _flush_name(session: WriteSession) -> None:
    message = "You have a credential of that name for this provider already"
    with conflict_on("uq_proprietary_credential_name", Conflict(message, param="name")):
        await session.flush()


async def _fields(session: ReadSession, type: str, *, param: str = "provider_name") -> ProviderFields:
    found = fields_of(type)
    if found is None and await find_provider(session, type=type) is None:
        raise NotFound("Provider not found", param=param)
    return found or DEFAULT


async def _provider_id(session: ReadSession, data: CredentialCreate) -> UUID | None:
    if data.provider_id is None:
        found = await find_provider(session, type=data.type)
        return found.id if found else None
    provider = await find_provider(session, id=data.provider_id)
    if provider is None:
        raise NotFound("Provider not found", param="provider_id")
    if provider.type != data.type:
        raise BadRequest(f"The provider is of the type {provider.type}", param="provider_id")
    return provider.id
