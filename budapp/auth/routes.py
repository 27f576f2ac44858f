from typing import Annotated

from fastapi import APIRouter, Depends, Request

from budapp.auth.schemas import Login, LoginAnswer, Logout, Refresh, RefreshAnswer
from budapp.auth.services import AuthServiceDep
from budapp.commons.access import Caller, authenticated, public
from budapp.commons.database import Write
from budapp.commons.errors import Unauthenticated
from budapp.commons.rate_limits import RateLimiter
from budapp.commons.schemas import Answer
from budapp.user_ops.schemas import UserRegistration

router = APIRouter(prefix="/auth", tags=["auth"], dependencies=[public])


class LimitedBy:
    """Counts the tries of an address, and of an account where the body names one, against a setting's limit."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._limiter: RateLimiter = request.app.state.rate_limiter

    async def __call__(self, limit: str, account: str | None = None) -> None:
        path = self._request.url.path
        address = self._request.client.host if self._request.client else "unknown"
        await self._limiter.hit(limit, path, address)
        if account is not None:
            await self._limiter.hit(limit, path, account)


Limited = Annotated[LimitedBy, Depends()]


async def signed_in_or_none(request: Request) -> Caller | None:
    """Return the caller of a route that also works without one."""
    try:
        return await authenticated(request)
    except Unauthenticated:
        return None


MaybeCaller = Annotated[Caller | None, Depends(signed_in_or_none)]


@router.post("/login")
async def login(data: Login, request: Request, limited: Limited, auth: AuthServiceDep) -> LoginAnswer:
    """Sign in with e-mail and password."""
    await limited(request.app.state.settings.rate_limit_login, account=data.email)
    return await auth.login(data)


@router.post("/refresh-token")
async def refresh_token(data: Refresh, request: Request, limited: Limited, auth: AuthServiceDep) -> RefreshAnswer:
    """Trade a refresh token, once, for new tokens."""
    await limited(request.app.state.settings.rate_limit_refresh)
    return RefreshAnswer(token=await auth.refresh(data.refresh_token))


@router.post("/logout")
async def logout(data: Logout, caller: MaybeCaller, auth: AuthServiceDep) -> Answer:
    """End the session of the refresh token and of the access token sent along; both are out within seconds."""
    await auth.logout(data.refresh_token, caller)
    return Answer(object="auth.logout", message="Signed out")


@router.post("/register")
async def register(
    data: UserRegistration, request: Request, limited: Limited, session: Write, auth: AuthServiceDep
) -> Answer:
    """Register as a customer's user."""
    await limited(request.app.state.settings.rate_limit_register)
    await auth.register(session, data)
    return Answer(object="auth.register", message="Registered; sign in now")
