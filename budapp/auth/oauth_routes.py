from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import RedirectResponse

from budapp.auth.routes import Limited
from budapp.auth.schemas import TokenExchangeAnswer, TokenExchangeRequest
from budapp.auth.single_sign_on import Return, SingleSignOnDep, Start
from budapp.commons.access import SignedIn, public
from budapp.commons.config import Settings
from budapp.commons.domain import components_of
from budapp.commons.origin import OriginDep
from budapp.integrations.identity_brokers import CALLBACK_PATH
from budapp.oauth_ops.schemas import OAuthLink, OAuthLogin, Started

router = APIRouter(tags=["oauth"])

Text = Annotated[str | None, Query(max_length=4096)]


@router.post("/oauth/login", dependencies=[public])
async def start_sign_in(data: OAuthLogin, limited: Limited, sso: SingleSignOnDep) -> Started:
    """Begin to sign in at a provider; the browser comes back to `redirectUri` with an exchange token or an error."""
    await limited()
    start = Start(data.provider, data.tenant, data.tenant_id, data.redirect_uri)
    return Started(result=await sso.start(start))


@router.post("/oauth/link")
async def start_linking(data: OAuthLink, caller: SignedIn, sso: SingleSignOnDep) -> Started:
    """Begin to link a provider to the own account: by signing in there, and proving the account with its password."""
    start = Start(data.provider, caller.realm, caller.tenant_id, data.redirect_uri, caller.user_id)
    return Started(message="Sign in at the provider to link it", result=await sso.start(start))


@router.get(CALLBACK_PATH, dependencies=[public], response_class=RedirectResponse, status_code=302)
async def come_back(
    sso: SingleSignOnDep,
    origin: OriginDep,
    state: Annotated[str, Query(max_length=255)],
    code: Text = None,
    error: Text = None,
) -> RedirectResponse:
    """Take the browser back from the provider, and send it on to where the sign-in began."""
    url = await sso.finish(Return(state, code, error), origin)
    return RedirectResponse(url, 302, headers={"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"})


@router.post("/auth/token/exchange", dependencies=[public])
async def exchange_token(data: TokenExchangeRequest, limited: Limited, sso: SingleSignOnDep) -> TokenExchangeAnswer:
    """Trade the exchange token, once and within a minute, for tokens."""
    await limited()
    return TokenExchangeAnswer(result=await sso.exchange(data.exchange_token))
