import hashlib
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from budapp.auth.routes import Limited
from budapp.auth.schemas import TokenExchangeAnswer, TokenExchangeRequest
from budapp.auth.single_sign_on import Return, SingleSignOnDep, Start
from budapp.commons.access import SignedIn, public
from budapp.commons.config import Settings
from budapp.commons.domain import components_of
from budapp.commons.origin import OriginDep
from budapp.commons.query_parameters import ignores
from budapp.integrations.identity_brokers import CALLBACK_PATH, DEPARTURE_PATH
from budapp.oauth_ops.schemas import OAuthLink, OAuthLogin, Started

router = APIRouter(tags=["oauth"])

Text = Annotated[str | None, Query(max_length=4096)]
State = Annotated[str, Query(max_length=255, description="The sign-in under way")]

_COOKIE_SECONDS = 600


class _Cookie:
    """The cookie of one sign-in under way; several may be, in one browser."""

    def __init__(self, request: Request, state: str) -> None:
        self._secure = components_of(request)[Settings].callback_base.startswith("https://")
        digest = hashlib.sha256(state.encode()).hexdigest()[:16]
        self._name = f"{'__Host-' if self._secure else ''}budapp-sign-in-{digest}"
        self.value = request.cookies.get(self._name)

    def set(self, answer: Response, value: str) -> None:
        # Lax: the provider's way back is a navigation from another site.
        answer.set_cookie(
            self._name, value, max_age=_COOKIE_SECONDS, httponly=True, secure=self._secure, samesite="lax"
        )

    def delete(self, answer: Response) -> None:
        if self.value is not None:
            answer.delete_cookie(self._name, httponly=True, secure=self._secure, samesite="lax")


def _redirect(url: str) -> RedirectResponse:
    return RedirectResponse(url, 302, headers={"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"})


@router.post("/oauth/login", dependencies=[public])
async def start_sign_in(data: OAuthLogin, limited: Limited, sso: SingleSignOnDep) -> Started:
    """Start signing in at a provider; the browser returns to `redirectUri` with an exchange token or an error."""
    await limited()
    start = Start(data.provider, data.tenant, data.tenant_id, data.redirect_uri)
    return Started(result=await sso.start(start))


@router.post("/oauth/link")
async def start_linking(data: OAuthLink, caller: SignedIn, sso: SingleSignOnDep) -> Started:
    """Start linking a provider to the caller's account: sign in there, then confirm with the account's password."""
    start = Start(data.provider, caller.realm, caller.tenant_id, data.redirect_uri, caller.user_id)
    return Started(message="Sign in at the provider to link the account", result=await sso.start(start))


@router.get(DEPARTURE_PATH, dependencies=[public], response_class=RedirectResponse, status_code=302)
async def depart(state: State, request: Request, limited: Limited, sso: SingleSignOnDep) -> RedirectResponse:
    """Redirect the browser to the provider, with a cookie that identifies it when it returns."""
    await limited()
    cookie = _Cookie(request, state)
    departure = await sso.depart(state, cookie.value)
    answer = _redirect(departure.url)
    if departure.binding is not None:
        cookie.set(answer, departure.binding)
    return answer


@router.get(CALLBACK_PATH, dependencies=[public, ignores()], response_class=RedirectResponse, status_code=302)
async def come_back(
    request: Request,
    sso: SingleSignOnDep,
    origin: OriginDep,
    state: State,
    code: Text = None,
    error: Text = None,
) -> RedirectResponse:
    """Receive the browser from the provider, and redirect it to where the sign-in started."""
    cookie = _Cookie(request, state)
    answer = _redirect(await sso.finish(Return(state, cookie.value, code, error), origin))
    cookie.delete(answer)
    return answer


@router.post("/auth/token/exchange", dependencies=[public])
async def exchange_token(data: TokenExchangeRequest, limited: Limited, sso: SingleSignOnDep) -> TokenExchangeAnswer:
    """Exchange the exchange token for access and refresh tokens, once and within a minute."""
    await limited()
    return TokenExchangeAnswer(result=await sso.exchange(data.exchange_token))
