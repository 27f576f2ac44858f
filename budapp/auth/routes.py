from typing import Annotated
from uuid import uuid4

from fastapi import APIRouter, Depends, Form, Request

from budapp.auth.password_resets import PasswordResetsDep
from budapp.auth.schemas import (
    Login,
    LoginAnswer,
    Logout,
    PasswordGrant,
    Refresh,
    RefreshAnswer,
    ResetAcknowledged,
    ResetRequest,
    ResetToken,
    ResetTokenAnswer,
    ResetWithToken,
    TokenAnswer,
)
from budapp.auth.services import AuthServiceDep
from budapp.commons.access import Caller, authenticated, public
from budapp.commons.config import Settings
from budapp.commons.database import Read, Write
from budapp.commons.domain import components_of
from budapp.commons.errors import Unauthenticated
from budapp.commons.http import unversioned_path
from budapp.commons.origin import OriginDep, origin_of
from budapp.commons.rate_limits import RateLimiter
from budapp.commons.schemas import Answer
from budapp.user_ops.schemas import UserRegistration

router = APIRouter(tags=["auth"], dependencies=[public])

_LOGIN = "/auth/login"


class AddressLimit:
    """Counts the tries of an address at a route, against a ceiling that an office stays below, or another limit.

    What one person may do is counted by account or session, not here.
    """

    def __init__(self, request: Request) -> None:
        self._limiter = components_of(request)[RateLimiter]
        self._ceiling = components_of(request)[Settings].rate_limit_address
        self._path = unversioned_path(request.scope)
        self._address = origin_of(request).address or "unknown"

    async def __call__(self, limit: str | None = None, *, path: str | None = None) -> None:
        """Count a try at the route, or at the one with the path, of which it is another form."""
        await self._limiter.hit(limit or self._ceiling, path or self._path, self._address)


Limited = Annotated[AddressLimit, Depends()]


async def signed_in_or_none(request: Request) -> Caller | None:
    """Return the caller of a route that also works without one."""
    try:
        return await authenticated(request)
    except Unauthenticated:
        return None


MaybeCaller = Annotated[Caller | None, Depends(signed_in_or_none)]


@router.post(_LOGIN)
async def login(data: Login, limited: Limited, origin: OriginDep, auth: AuthServiceDep) -> LoginAnswer:
    """Sign in with e-mail address and password."""
    await limited()
    return await auth.login(data, origin)


@router.post("/auth/token")
async def issue_token(
    grant: Annotated[PasswordGrant, Form()], limited: Limited, origin: OriginDep, auth: AuthServiceDep
) -> TokenAnswer:
    """Sign in by OAuth 2.0's password grant (RFC 6749), for tools that know no other way, such as `/docs`."""
    await limited(path=_LOGIN)
    token = (await auth.login(grant.login(), origin)).token
    return TokenAnswer(access_token=token.access_token, expires_in=token.expires_in, refresh_token=token.refresh_token)


@router.post("/auth/refresh-token")
async def refresh_token(data: Refresh, limited: Limited, origin: OriginDep, auth: AuthServiceDep) -> RefreshAnswer:
    """Exchange a refresh token for new tokens; it works once."""
    await limited()
    return RefreshAnswer(token=await auth.refresh(data.refresh_token, origin))


@router.post("/auth/logout")
async def logout(data: Logout, caller: MaybeCaller, auth: AuthServiceDep) -> Answer:
    """End the sessions of the refresh token and of the access token; both stop working within seconds."""
    await auth.logout(data.refresh_token, caller)
    return Answer(object="auth.logout", message="Signed out")


@router.post("/auth/register")
async def register(
    data: UserRegistration, request: Request, limited: Limited, session: Write, auth: AuthServiceDep
) -> Answer:
    """Register as a client user."""
    await limited(components_of(request)[Settings].rate_limit_register)
    await auth.register(session, data)
    return Answer(object="auth.register", message="Registered; sign in to continue")


@router.post("/users/reset-password")
async def request_password_reset(data: ResetRequest, limited: Limited, resets: PasswordResetsDep) -> ResetAcknowledged:
    """Request an e-mail with a link to set a new password; the response does not reveal whether the account exists."""
    await limited()
    await resets.request(data.email, tenant_id=data.tenant_id, tenant=data.tenant)
    return ResetAcknowledged(transaction_id=str(uuid4()))


@router.post("/users/validate-reset-token")
async def validate_reset_token(
    data: ResetToken, limited: Limited, session: Read, resets: PasswordResetsDep
) -> ResetTokenAnswer:
    """Check whether a link is still valid."""
    await limited()
    found = await resets.find(session, data.token)
    if found is None:
        return ResetTokenAnswer(message="This link is invalid or has expired", is_valid=False)
    reset, user = found
    return ResetTokenAnswer(message="This link is valid", is_valid=True, email=user.email, expires_at=reset.expires_at)


@router.post("/users/reset-password-with-token")
async def reset_password_with_token(
    data: ResetWithToken, limited: Limited, session: Write, resets: PasswordResetsDep
) -> Answer:
    """Set a new password with the token of the link; it works once, and all sessions of the user end."""
    await limited()
    await resets.use(session, data)
    return Answer(object="password.reset", message="Your new password is set; sign in with it")
