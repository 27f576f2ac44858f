"""Signing in, staying signed in, and being known."""

from redis.asyncio import Redis

from budapp.auth import crud, models
from budapp.auth.authentication import JwtAuthenticator
from budapp.auth.invitation_routes import router as invitation_router
from budapp.auth.oauth_routes import router as oauth_router
from budapp.auth.password_resets import PasswordResets
from budapp.auth.routes import router
from budapp.auth.services import AuthService
from budapp.auth.single_sign_on import SingleSignOn
from budapp.auth.token_refresh import TokenRefresh
from budapp.auth.tokens import SigningKeys, TokenVerifier
from budapp.commons.access import Authenticator
from budapp.commons.config import Settings
from budapp.commons.database import Database
from budapp.commons.domain import Component, Components, Domain
from budapp.commons.encryption import Encryption
from budapp.commons.rate_limits import RateLimiter
from budapp.integrations.identity_brokers import Brokering
from budapp.integrations.keycloak import Keycloak
from budapp.integrations.one_time import OneTimeValues
from budapp.service_account_ops.authentication import KeyAuthenticator
from budapp.session_ops.last_used import LastUsed
from budapp.user_ops.callers import Callers
from budapp.user_ops.hooks import after_password_change, after_reactivation
from budapp.user_ops.keycloak_mirror import KeycloakMirror


def _authenticator(c: Components) -> JwtAuthenticator:
    return JwtAuthenticator(c[Database], c[TokenVerifier], c[Callers], c[LastUsed], c[KeyAuthenticator])


def _auth_service(c: Components) -> AuthService:
    return AuthService(
        settings=c[Settings],
        database=c[Database],
        keycloak=c[Keycloak],
        verifier=c[TokenVerifier],
        valkey=c[Redis],
        callers=c[Callers],
        token_refresh=c[TokenRefresh],
        mirror=c[KeycloakMirror],
        rate_limiter=c[RateLimiter],
    )


def _password_resets(c: Components) -> PasswordResets:
    return PasswordResets(c[Settings], c[Database], c[Keycloak], c[Callers], c[RateLimiter])


def _single_sign_on(c: Components) -> SingleSignOn:
    return SingleSignOn(c[Settings], c[Database], c[Keycloak], c[Brokering], c[TokenVerifier], c[OneTimeValues])


domain = Domain(
    routers=(router, invitation_router, oauth_router),
    tables=(models,),
    components=(
        Component(SigningKeys, lambda c: SigningKeys(c[Keycloak])),
        Component(TokenVerifier, lambda c: TokenVerifier(c[SigningKeys], c[Settings].keycloak_issuer_base)),
        Component(Authenticator, _authenticator),
        Component(TokenRefresh, lambda c: TokenRefresh(c[Redis], c[Encryption], c[Settings].refresh_reuse_seconds)),
        Component(AuthService, _auth_service),
        Component(SingleSignOn, _single_sign_on),
        Component(
            PasswordResets, lambda c: PasswordResets(c[Settings], c[Database], c[Keycloak], c[Callers], c[RateLimiter])
        ),
    ),
    hooks=(after_reactivation.register(crud.delete_reset), after_password_change.register(crud.delete_reset)),
)
