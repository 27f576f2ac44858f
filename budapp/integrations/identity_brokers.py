"""Keycloak's identity brokering: a tenant's people sign in at a provider of their own, and Keycloak vouches for it.

The browser goes to the realm's authorization endpoint (OAuth 2.0 authorization code with PKCE, RFC 7636) with a hint at
the provider, and comes back to `CALLBACK_PATH` with a code.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from keycloak import KeycloakAdmin
from keycloak.exceptions import KeycloakError

from budapp.integrations.keycloak import Keycloak, RealmClient
from budapp.integrations.keycloak_errors import grant_errors, translated

DEPARTURE_PATH = "/oauth/departure"
CALLBACK_PATH = "/oauth/secure-callback"
PROVIDER_CLAIM = "identity_provider"
"""The claim that says at which provider the session was begun; there is none where a password was used."""

_FLOW = "budapp first sign-in at a provider"


@dataclass(frozen=True, slots=True)
class IdentityProvider:
    """A provider of a realm.

    Args:
        alias: what it is called in the realm, and in `kc_idp_hint`.
        kind: Keycloak's name of its protocol: `oidc`, `google`, `github`, `microsoft`, `linkedin-openid-connect`.
        client_id: what the provider calls Keycloak.
        client_secret: what Keycloak proves it with.
        enabled: whether people can sign in there.
        config: what the protocol needs beside, such as `authorizationUrl`.
    """

    alias: str
    kind: str
    client_id: str
    client_secret: str = field(repr=False)
    enabled: bool = True
    config: Mapping[str, str] = field(default_factory=dict)


class Brokering:
    """Sets providers up in realms, and trades the codes that the browser brings back."""

    def __init__(self, keycloak: Keycloak, callback_url: str) -> None:
        self._keycloak = keycloak
        self._callback_url = callback_url

    async def ensure_client(self, client: RealmClient) -> None:
        """Let the client be used in browsers: only with PKCE, and only back to our callback."""
        admin = self._keycloak.admin(client.realm)
        with translated():
            internal_id = str(await admin.a_get_client_id(client.client_id))
            await admin.a_update_client(
                internal_id,
                {
                    "clientId": client.client_id,
                    "standardFlowEnabled": True,
                    "redirectUris": [self._callback_url],
                    "webOrigins": [],
                    "attributes": {"pkce.code.challenge.method": "S256"},
                },
            )
            if all(mapper["name"] != PROVIDER_CLAIM for mapper in await admin.a_get_mappers_from_client(internal_id)):
                await admin.a_add_mapper_to_client(internal_id, _provider_mapper())

    async def ensure_provider(self, realm: str, provider: IdentityProvider) -> None:
        """Make the provider known to the realm, or bring it up to date."""
        admin = self._keycloak.admin(realm)
        representation = _representation(provider)
        with translated():
            await _ensure_flow(admin)
            try:
                await admin.a_get_idp(provider.alias)
            except KeycloakError as error:
                if error.response_code != 404:
                    raise
                await admin.a_create_idp(representation)
            else:
                await admin.a_update_idp(provider.alias, representation)

    async def disable_provider(self, realm: str, alias: str) -> None:
        """Let nobody in by the provider, but keep all links to it; a missing one is no error.

        People who only ever came by the provider have no password with which they could link themselves anew.
        """
        admin = self._keycloak.admin(realm)
        with translated():
            try:
                found = await admin.a_get_idp(alias)
            except KeycloakError as error:
                if error.response_code != 404:
                    raise
            else:
                # The secret is masked in what we read; Keycloak keeps the one it has.
                await admin.a_update_idp(alias, {**found, "enabled": False})

    async def remove_provider(self, realm: str, alias: str) -> None:
        """Take the provider out of the realm, with all links to it; a missing one is no error."""
        with translated():
            try:
                await self._keycloak.admin(realm).a_delete_idp(alias)
            except KeycloakError as error:
                if error.response_code != 404:
                    raise

    def authorization_url(
        self, client: RealmClient, *, provider: str, state: str, nonce: str, code_challenge: str
    ) -> str:
        """Return where the browser goes to sign in at the provider."""
        query = {
            "client_id": client.client_id,
            "response_type": "code",
            "redirect_uri": self._callback_url,
            "scope": "openid profile email roles",
            "state": state,
            "nonce": nonce,
            "code_challenge": code_challenge,
            "code_challenge_method": "S256",
            "kc_idp_hint": provider,
            "prompt": "login",
        }
        base = self._keycloak.public_url
        return f"{base}/realms/{client.realm}/protocol/openid-connect/auth?{urlencode(query)}"

    async def exchange_code(self, client: RealmClient, code: str, verifier: str) -> dict[str, Any]:
        """Return the tokens for the code, as Keycloak writes them.

        Raises:
            InvalidGrant: the code was used, has expired, or belongs to another verifier.
        """
        with grant_errors(), translated():
            return await self._keycloak.openid(client).a_token(
                grant_type="authorization_code", code=code, redirect_uri=self._callback_url, code_verifier=verifier
            )

    async def remove_newcomer(self, realm: str, auth_id: str) -> None:
        """Delete the account if a provider's word made it; one with a password was there before and stays."""
        with translated():
            if await self._keycloak.admin(realm).a_get_credentials(auth_id):
                return
        await self._keycloak.delete_user(realm, auth_id)

    async def external_id(self, realm: str, auth_id: str, alias: str) -> str | None:
        """Return what the provider calls the account, or None where the two are not linked."""
        with translated():
            links = await self._keycloak.admin(realm).a_get_user_social_logins(auth_id)
        return next((str(link["userId"]) for link in links if link["identityProvider"] == alias), None)


def _representation(provider: IdentityProvider) -> dict[str, Any]:
    return {
        "alias": provider.alias,
        "displayName": provider.alias,
        "providerId": provider.kind,
        "enabled": provider.enabled,
        # Keycloak takes over what the provider says of the address: whether it is verified.
        "trustEmail": True,
        "storeToken": False,
        "hideOnLogin": True,
        "firstBrokerLoginFlowAlias": _FLOW,
        "config": {
            "clientId": provider.client_id,
            "clientSecret": provider.client_secret,
            "clientAuthMethod": "client_secret_post",
            "defaultScope": "openid profile email" if provider.kind == "oidc" else "",
            "syncMode": "IMPORT",
            **provider.config,
        },
    }


def _provider_mapper() -> dict[str, Any]:
    return {
        "name": PROVIDER_CLAIM,
        "protocol": "openid-connect",
        "protocolMapper": "oidc-usersessionmodel-note-mapper",
        "config": {
            "user.session.note": "identity_provider",
            "claim.name": PROVIDER_CLAIM,
            "jsonType.label": "String",
            "id.token.claim": "true",
            "access.token.claim": "false",
        },
    }


async def _ensure_flow(admin: KeycloakAdmin) -> None:
    """Make the flow for somebody's first sign-in at a provider.

    Who is new sees no page. Who has an account with the same e-mail proves with its password that it is theirs: the
    provider's word alone would hand accounts to whoever claims their address there.
    """
    if any(flow["alias"] == _FLOW for flow in await admin.a_get_authentication_flows()):
        return
    flow = {"alias": _FLOW, "providerId": "basic-flow", "topLevel": True, "builtIn": False}
    await admin.a_create_authentication_flow(flow)
    await admin.a_create_authentication_flow_execution({"provider": "idp-create-user-if-unique"}, _FLOW)
    inner = f"{_FLOW} - link"
    await admin.a_create_authentication_flow_subflow({"alias": inner, "type": "basic-flow", "provider": ""}, _FLOW)
    for step in ("idp-confirm-link", "idp-username-password-form"):
        await admin.a_create_authentication_flow_execution({"provider": step}, inner)
    for execution in await admin.a_get_authentication_flow_executions(_FLOW):
        execution["requirement"] = "ALTERNATIVE" if execution["level"] == 0 else "REQUIRED"
        await admin.a_update_authentication_flow_executions(execution, _FLOW)
