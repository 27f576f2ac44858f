import hashlib
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from budapp.auth.models import PasswordReset
from budapp.auth.single_sign_on import WaitingTokens
from budapp.commons.database import now
from budapp.integrations.one_time import OneTimeValues
from budapp.oauth_ops.models import UserOAuthProvider
from tests.cast import PASSWORD
from tests.sessions.surface import VISITOR, forgive, sign_in
from tests.surface.share import Audited, RequestContext, SeedContext, Share, Things, Valid
from tests.users.surface import new_user


async def _seed(context: SeedContext) -> Things:
    token = f"reset-{context.realm}"
    digest = hashlib.sha256(token.encode()).hexdigest()
    user = {"tenant_id": context.tenant_id, "user_id": context.id_of("user_id")}
    link = UserOAuthProvider(provider="oidc", external_id="1", **user)
    await context.add(PasswordReset(token_hash=digest, expires_at=now() + timedelta(hours=1), **user), link)
    return {"reset_token": token, "refresh_token": "none"}


async def _exchange(context: RequestContext) -> None:
    """Have tokens wait for the request to fetch them."""
    token, visitor = uuid4().hex, UUID(context.things["visitor_id"])
    waiting = WaitingTokens(user_id=visitor, access_token="a", refresh_token="r", expires_in=60)
    await context.component(OneTimeValues).put("exchange_token", token, waiting, timedelta(minutes=1))
    context.things["exchange_token"] = token


def _password_grant(_things: Things) -> dict[str, str]:
    return {"grant_type": "password", "username": VISITOR, "password": PASSWORD}


def _new_password(things: Things) -> dict[str, Any]:
    return {"token": things["reset_token"], "new_password": PASSWORD, "confirm_password": PASSWORD}


share = Share(
    "auth",
    seed=_seed,
    requests={
        "POST /auth/login": Valid(
            lambda t: {"email": VISITOR, "password": PASSWORD, "tenant_id": t["tenant_id"]}, prepare=forgive
        ),
        "POST /auth/token": Valid(form=_password_grant, prepare=forgive),
        "POST /auth/refresh-token": Valid(lambda t: {"refresh_token": t["refresh_token"]}, prepare=sign_in),
        "POST /auth/logout": Valid(
            lambda t: {"refresh_token": t["refresh_token"], "tenant_id": t["tenant_id"]},
            prepare=sign_in,
            own_session=True,
        ),
        "POST /auth/register": Valid(new_user),
        "POST /users/reset-password": Valid(lambda t: {"email": VISITOR, "tenant_id": t["tenant_id"]}),
        "POST /users/validate-reset-token": Valid(lambda t: {"token": t["reset_token"]}),
        "POST /users/reset-password-with-token": Valid(_new_password),
        "POST /users/invitations": Valid(lambda t: {"email": f"{t['fresh']}@example.com", "role": "developer"}),
        "POST /users/{user_id}/invitation": Valid(path={"user_id": "guest_id"}),
        "POST /oauth/login": Valid(lambda t: {"provider": t["provider"], "tenantId": t["tenant_id"]}),
        "POST /oauth/link": Valid(lambda t: {"provider": t["provider"]}),
        "GET /oauth/departure": Valid(query=lambda t: {"state": "unknown"}),
        "GET /oauth/secure-callback": Valid(query=lambda t: {"state": "unknown"}),
        "POST /auth/token/exchange": Valid(lambda t: {"exchange_token": t["exchange_token"]}, prepare=_exchange),
    },
    audited={
        "POST /auth/login": Audited("login", "session"),
        "POST /auth/token": Audited("login", "session"),
        "POST /auth/logout": Audited("logout", "session"),
        "POST /auth/register": Audited("create", "user"),
        "POST /users/reset-password": Audited("password_reset", "user"),
        "POST /users/reset-password-with-token": Audited("password_reset", "user"),
        "POST /users/invitations": Audited("create", "user"),
        "POST /users/{user_id}/invitation": Audited("password_reset", "user"),
    },
    changes_nothing={
        "POST /auth/refresh-token": "only prolongs a session; reuse of a token, which ends it, is recorded",
        "POST /users/validate-reset-token": "only looks",
        "POST /oauth/login": "only begins to sign in; the return from the provider is recorded",
        "POST /oauth/link": "only begins to link; the return from the provider is recorded",
        "POST /auth/token/exchange": "hands over the tokens of a sign-in that is recorded",
    },
)
