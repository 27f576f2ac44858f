"""Keycloak: identities, passwords, sessions and realm roles of every tenant's realm.

Only python-keycloak's asynchronous methods are used. A Keycloak that cannot be reached is `Unavailable` (503); one that
answers something unforeseen is `PeerFailed` (502).
"""

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import httpx
from keycloak import KeycloakAdmin, KeycloakOpenID
from keycloak.exceptions import KeycloakError

from budapp.commons.config import Settings
from budapp.commons.domain import provided
from budapp.commons.errors import Conflict, PeerFailed, Unavailable
from budapp.commons.logging import get_logger
from budapp.integrations.http_transport import Transport
from budapp.integrations.keycloak_errors import grant_errors, translated, unless_there

logger = get_logger(__name__)

_ORPHAN_AGE = timedelta(minutes=1)
_MARK = "managed_by"
_PAGE_SIZE = 500
_REALM_SECONDS = 60
"""Creating or deleting a realm takes a busy Keycloak many times as long as any other request."""

_SIGNING_KEYS_SECONDS = 3


@dataclass(frozen=True, slots=True)
class RealmClient:
    """A confidential client of a realm."""

    realm: str
    client_id: str
    secret: str


@dataclass(frozen=True, slots=True)
class AccountState:
    """What a realm says of an account: whether it may sign in, and which of the known realm roles it has itself."""

    enabled: bool
    roles: frozenset[str]


@dataclass(frozen=True, slots=True)
class NewUser:
    """An account to be made; `temporary` passwords are not used, as the password grant refuses them."""

    email: str
    name: str
    password: str
    roles: Sequence[str]


@dataclass(frozen=True, slots=True)
class KeycloakSession:
    """A living session; an offline one outlives the browser, as "remember me" asks for."""

    id: str
    started_at: datetime
    last_access: datetime
    is_offline: bool


class Keycloak:
    """The realms of one Keycloak server.

    Clients and their tokens are kept per realm; nothing is asked before the first call.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._admins: dict[str, KeycloakAdmin] = {}
        self._openid: dict[RealmClient, KeycloakOpenID] = {}
        # Each client would load the certificates of authorities by itself, which holds the loop for 30 ms and more.
        self._verify: Any = httpx.create_ssl_context() if settings.keycloak_verify_ssl else False
        self._http = httpx.AsyncClient(
            base_url=settings.keycloak_server_url,
            timeout=settings.keycloak_timeout_seconds,
            transport=Transport(verify=self._verify),
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()
        for admin in self._admins.values():
            await admin.connection.aclose()
            await admin.connection.keycloak_openid.connection.aclose()
        for openid in self._openid.values():
            await openid.connection.aclose()

    @property
    def public_url(self) -> str:
        """The address by which browsers reach Keycloak."""
        return self._settings.keycloak_issuer_base

    def admin(self, realm: str) -> KeycloakAdmin:
        """Return the library's administration of a realm; whoever calls it translates its errors."""
        if realm not in self._admins:
            seconds = self._settings.keycloak_timeout_seconds
            if realm == self._settings.keycloak_realm_name:
                seconds = max(seconds, _REALM_SECONDS)
            self._admins[realm] = KeycloakAdmin(
                server_url=self._settings.keycloak_server_url,
                username=self._settings.keycloak_admin_username,
                password=self._settings.keycloak_admin_password.get_secret_value(),
                user_realm_name=self._settings.keycloak_realm_name,
                realm_name=realm,
                verify=self._verify,
                timeout=seconds,
            )
        return self._admins[realm]

    def openid(self, client: RealmClient) -> KeycloakOpenID:
        """Return the library's OpenID Connect for a client; whoever calls it translates its errors."""
        if client not in self._openid:
            self._openid[client] = KeycloakOpenID(
                server_url=self._settings.keycloak_server_url,
                realm_name=client.realm,
                client_id=client.client_id,
                client_secret_key=client.secret,
                verify=self._verify,
                timeout=self._settings.keycloak_timeout_seconds,
            )
        return self._openid[client]

    async def healthy(self) -> bool:
        """Tell whether Keycloak answers."""
        try:
            response = await self._http.get(f"/realms/{self._settings.keycloak_realm_name}", timeout=2)
        except httpx.HTTPError:
            return False
        return response.status_code == 200

    # Signing in

    async def sign_in(self, client: RealmClient, email: str, password: str, *, remember: bool) -> dict[str, Any]:
        """Return the tokens for the password, as Keycloak writes them.

        Raises:
            InvalidGrant: wrong password, unknown, disabled or locked account.
        """
        scope = "openid profile email roles" + (" offline_access" if remember else "")
        with grant_errors(), translated():
            return await self.openid(client).a_token(email, password, scope=scope)

    async def unlock(self, realm: str, auth_id: str) -> bool:
        """Let the account sign in again where too many failures have locked it for a while; tell whether they had."""
        admin = self.admin(realm)
        with translated():
            status = await admin.a_get_bruteforce_detection_status(auth_id)
            if status.get("disabled"):
                await admin.a_clear_bruteforce_attempts_for_user(auth_id)
        return bool(status.get("disabled"))

    async def refresh(self, client: RealmClient, refresh_token: str) -> dict[str, Any]:
        """Return new tokens; the refresh token counts no more.

        Raises:
            InvalidGrant: expired, ended, or used before.
        """
        with grant_errors(), translated():
            return await self.openid(client).a_refresh_token(refresh_token)

    async def sign_out(self, client: RealmClient, refresh_token: str) -> bool:
        """End the session of the refresh token; tell whether the token was genuine and the session alive."""
        with translated():
            try:
                await self.openid(client).a_logout(refresh_token)
            except KeycloakError as error:
                if error.response_code != 400:
                    raise
                return False
        return True

    async def signing_keys(self, realm: str) -> dict[str, Any]:
        """Return the realm's JWKS (RFC 7517).

        Raises:
            Unavailable: Keycloak did not answer with one.
        """
        with translated():
            path = f"/realms/{realm}/protocol/openid-connect/certs"
            response = await self._http.get(path, timeout=_SIGNING_KEYS_SECONDS)
            response.raise_for_status()
        keys: dict[str, Any] = response.json()
        return keys

    # Accounts

    async def create_user(self, realm: str, user: NewUser) -> str:
        """Make the account with its realm roles and return its id.

        Raises:
            Conflict: the realm has an account with this e-mail.
            UnprocessableContent: the password does not meet the realm's policy.
        """
        admin = self.admin(realm)
        payload = {
            "username": user.email,
            "email": user.email,
            "firstName": user.name,
            "lastName": user.name,
            "enabled": True,
            "emailVerified": True,
            "attributes": {_MARK: ["budapp"]},
        }
        with translated():
            auth_id = await self._create_account(admin, payload)
            try:
                # Only where a password is set by itself does Keycloak say which rule it breaks.
                await admin.a_set_user_password(auth_id, user.password, temporary=False)
                await admin.a_assign_realm_roles(auth_id, [await admin.a_get_realm_role(role) for role in user.roles])
            except BaseException:
                await admin.a_delete_user(auth_id)
                raise
        return auth_id

    async def _create_account(self, admin: KeycloakAdmin, payload: dict[str, Any]) -> str:
        try:
            return await admin.a_create_user(payload)
        except KeycloakError as error:
            # In a race for one e-mail, Keycloak tells the loser that it could not, and not why.
            taken = error.response_code == 400 and await admin.a_get_users({"email": payload["email"], "exact": "true"})
            if taken:
                raise Conflict(
                    "The sign-in service already has an account with this e-mail address", param="email"
                ) from error
            raise

    async def orphan(self, realm: str, email: str) -> str | None:
        """Return the id of an account that we made for the e-mail and then failed to keep; the caller knows no user.

        Only one older than a minute counts: a younger one may be another request's that is about to commit.
        """
        with translated():
            query = {"email": email, "exact": "true", "briefRepresentation": "false"}
            found = await self.admin(realm).a_get_users(query)
        for account in found:
            made_at = datetime.fromtimestamp(account.get("createdTimestamp", 0) / 1000, UTC)
            ours = account.get("attributes", {}).get(_MARK) == ["budapp"]
            if ours and datetime.now(UTC) - made_at > _ORPHAN_AGE:
                return str(account["id"])
        return None

    async def delete_user(self, realm: str, auth_id: str) -> None:
        """Delete the account; a missing one is no error."""
        with translated():
            try:
                await self.admin(realm).a_delete_user(auth_id)
            except KeycloakError as error:
                if error.response_code != 404:
                    raise

    async def set_password(self, realm: str, auth_id: str, password: str) -> None:
        """Set the password.

        Raises:
            UnprocessableContent: it does not meet the realm's policy.
        """
        with translated():
            await self.admin(realm).a_set_user_password(auth_id, password, temporary=False)

    async def set_enabled(self, realm: str, auth_id: str, *, enabled: bool) -> None:
        """Let the account sign in, or not."""
        with translated():
            await self.admin(realm).a_update_user(auth_id, {"enabled": enabled})

    async def rename(self, realm: str, auth_id: str, name: str) -> None:
        """Change the name that tokens carry."""
        with translated():
            await self.admin(realm).a_update_user(auth_id, {"firstName": name, "lastName": name})

    async def set_role(self, realm: str, auth_id: str, role: str, known_roles: Sequence[str]) -> list[str]:
        """Give the account exactly this one of the known realm roles; return those that it had before."""
        admin = self.admin(realm)
        with translated():
            held = await admin.a_get_realm_roles_of_user(auth_id)
            if all(item["name"] != role for item in held):
                await admin.a_assign_realm_roles(auth_id, [await admin.a_get_realm_role(role)])
            gone = [item for item in held if item["name"] in known_roles and item["name"] != role]
            if gone:
                await admin.a_delete_realm_roles_of_user(auth_id, gone)
        return [item["name"] for item in held if item["name"] in known_roles]

    async def restore_roles(
        self, realm: str, auth_id: str, given: str, former: Sequence[str], known_roles: Sequence[str]
    ) -> None:
        """Take a `set_role` back, unless somebody has changed the roles since."""
        admin = self.admin(realm)
        with translated():
            held = await admin.a_get_realm_roles_of_user(auth_id)
            if [item["name"] for item in held if item["name"] in known_roles] != [given]:
                return
            missing = [await admin.a_get_realm_role(role) for role in former if role != given]
            if missing:
                await admin.a_assign_realm_roles(auth_id, missing)
            if given not in former:
                await admin.a_delete_realm_roles_of_user(auth_id, [i for i in held if i["name"] == given])

    async def account(self, realm: str, auth_id: str, known_roles: Sequence[str]) -> AccountState | None:
        """Return what the realm says of the account; None where it is gone."""
        admin = self.admin(realm)
        with translated():
            try:
                account = await admin.a_get_user(auth_id)
                held = await admin.a_get_realm_roles_of_user(auth_id)
            except KeycloakError as error:
                if error.response_code != 404:
                    raise
                return None
        return AccountState(account["enabled"], frozenset(i["name"] for i in held).intersection(known_roles))

    async def accounts(self, realm: str, known_roles: Sequence[str]) -> dict[str, AccountState]:
        """Return what the realm says of everyone in it, by account id."""
        admin = self.admin(realm)
        with translated():
            enabled = {one["id"]: one["enabled"] async for one in _all_pages(admin.a_get_users)}
            roles: dict[str, list[str]] = {}
            for role in known_roles:
                # It returns all pages, also where one is asked for, which `a_get_users` does not.
                for member in await admin.a_get_realm_role_members(role, {"briefRepresentation": "true"}):
                    roles.setdefault(member["id"], []).append(role)
        return {one: AccountState(is_enabled, frozenset(roles.get(one, ()))) for one, is_enabled in enabled.items()}

    # Sessions

    async def session_ids(self, realm: str, auth_id: str) -> list[str]:
        """Return the ids of the account's sessions, offline ones too."""
        return [session.id for session in await self.sessions(realm, auth_id)]

    async def sessions(self, realm: str, auth_id: str) -> list[KeycloakSession]:
        """Return the account's living sessions, offline ones too, each once."""
        admin = self.admin(realm)
        with translated():
            found = await admin.a_get_sessions(auth_id)
            client_id = await admin.a_get_client_id(self._settings.default_client_name)
            path = f"admin/realms/{realm}/users/{auth_id}/offline-sessions/{client_id}"
            response = await admin.connection.a_raw_get(path)
        online = {str(item["id"]): _session(item, offline=False) for item in found}
        offline = {str(item["id"]): _session(item, offline=True) for item in response.json()}
        return list((online | offline).values())

    async def end_session(self, realm: str, session_id: str) -> None:
        """End one session, whether it is an offline one or not; an ended one is no error."""
        connection = self.admin(realm).connection
        for offline in ("false", "true"):
            with translated():
                path = f"admin/realms/{realm}/sessions/{session_id}"
                response = await connection.a_raw_delete(path, isOffline=offline)
            if response.status_code not in {204, 404}:
                raise Unavailable("The sign-in service failed; try again later")

    # Realms

    async def create_realm(self, realm: str, roles: Sequence[str]) -> None:
        """Make a new realm with its roles; nothing is left where that fails.

        Raises:
            Conflict: there is a realm of this name, ours or not.
        """
        admin = self.admin(self._settings.keycloak_realm_name)
        with translated():
            try:
                await admin.a_create_realm({"realm": realm, "enabled": True})
            except KeycloakError as error:
                if error.response_code == 409:
                    raise Conflict(
                        "The sign-in service already has a realm with this name; choose another name"
                    ) from error
                raise
        try:
            await self.ensure_realm(realm, roles)
        except BaseException:
            await self.delete_realm(realm)
            raise

    async def realm_exists(self, realm: str) -> bool:
        """Tell whether there is a realm of this name, ours or not."""
        with translated():
            try:
                await self.admin(self._settings.keycloak_realm_name).a_get_realm(realm)
            except KeycloakError as error:
                if error.response_code != 404:
                    raise
                return False
        return True

    async def set_realm_enabled(self, realm: str, *, enabled: bool) -> None:
        """Let people sign in to the realm, or end all their sessions and let nobody in."""
        admin = self.admin(self._settings.keycloak_realm_name)
        with translated():
            await admin.a_update_realm(realm, {"enabled": enabled})
            if not enabled:
                await admin.connection.a_raw_post(f"admin/realms/{realm}/logout-all", data="{}")

    async def ensure_realm(self, realm: str, roles: Sequence[str]) -> None:
        """Make the realm and its roles where they are missing, and bring its settings up to date."""
        admin = self.admin(self._settings.keycloak_realm_name)
        with translated():
            with unless_there():
                await admin.a_create_realm({"realm": realm, "enabled": True})
            await admin.a_update_realm(realm, self._realm_settings())
            own = self.admin(realm)
            for role in roles:
                with unless_there():
                    await own.a_create_realm_role({"name": role})
            profile = await own.a_get_realm_users_profile()
            await own.a_update_realm_users_profile(profile | {"unmanagedAttributePolicy": "ADMIN_EDIT"})

    def _realm_settings(self) -> dict[str, Any]:
        settings = self._settings
        return {
            "registrationAllowed": False,
            "loginWithEmailAllowed": True,
            "duplicateEmailsAllowed": False,
            "editUsernameAllowed": False,
            "sslRequired": "external",
            "bruteForceProtected": True,
            "failureFactor": settings.keycloak_failures_before_lock,
            "maxFailureWaitSeconds": 900,
            "waitIncrementSeconds": 60,
            "revokeRefreshToken": True,
            "refreshTokenMaxReuse": 0,
            "accessTokenLifespan": settings.keycloak_access_token_lifespan_seconds,
            "ssoSessionIdleTimeout": settings.keycloak_sso_idle_seconds,
            "ssoSessionMaxLifespan": settings.keycloak_sso_max_seconds,
            "passwordPolicy": settings.keycloak_password_policy,
        }

    async def ensure_client(self, realm: str, client_id: str) -> tuple[str, RealmClient]:
        """Make the confidential client where it is missing; return its internal id, and the client with its secret."""
        admin = self.admin(realm)
        with translated():
            with unless_there():
                await admin.a_create_client(_client_representation(client_id))
            internal_id = await admin.a_get_client_id(client_id)
            if internal_id is None:
                raise PeerFailed("The sign-in service lost a client that was just created")
            secret = await admin.a_get_client_secrets(internal_id)
        return internal_id, RealmClient(realm, client_id, secret["value"])

    async def find_user(self, realm: str, email: str) -> str | None:
        """Return the id of the account with this e-mail."""
        with translated():
            found = await self.admin(realm).a_get_users({"email": email, "exact": "true"})
        return str(found[0]["id"]) if found else None

    async def delete_realm(self, realm: str) -> None:
        """Delete the realm with everyone in it."""
        with translated():
            await self.admin(self._settings.keycloak_realm_name).a_delete_realm(realm)


def _session(item: dict[str, Any], *, offline: bool) -> KeycloakSession:
    started_at, last_access = (datetime.fromtimestamp(item[name] / 1000, UTC) for name in ("start", "lastAccess"))
    return KeycloakSession(str(item["id"]), started_at, last_access, offline)


async def _all_pages(fetch: Callable[[dict[str, Any]], Awaitable[list[dict[str, Any]]]]) -> AsyncIterator[Any]:
    """Yield what is on all pages, one page at a time in memory."""
    first = 0
    while True:
        page = await fetch({"first": first, "max": _PAGE_SIZE, "briefRepresentation": "true"})
        for item in page:
            yield item
        if len(page) < _PAGE_SIZE:
            return
        first += len(page)


def _client_representation(client_id: str) -> dict[str, Any]:
    return {
        "clientId": client_id,
        "protocol": "openid-connect",
        "publicClient": False,
        "secret": secrets.token_urlsafe(32),
        "directAccessGrantsEnabled": True,
        "standardFlowEnabled": False,
        "serviceAccountsEnabled": False,
        "protocolMappers": [
            {
                "name": "audience",
                "protocol": "openid-connect",
                "protocolMapper": "oidc-audience-mapper",
                "config": {"included.client.audience": client_id, "access.token.claim": "true"},
            }
        ],
    }


KeycloakDep = Annotated[Keycloak, provided(Keycloak)]
