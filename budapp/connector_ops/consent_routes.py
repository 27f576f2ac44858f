"""How people give connectors their consent."""

import hashlib
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.responses import RedirectResponse

from budapp.auth.routes import Limited
from budapp.commons.access import Caller, Requires, Token, public
from budapp.commons.config import Settings
from budapp.commons.database import Read, Write
from budapp.commons.domain import components_of, provided
from budapp.commons.errors import AppError
from budapp.commons.idempotency import IdempotentRoute
from budapp.commons.query_parameters import ignores
from budapp.commons.schemas import Email
from budapp.commons.scopes import Scope
from budapp.connector_ops import schemas as view
from budapp.connector_ops import services
from budapp.connector_ops.consents import UNDER_WAY, Consents, with_query
from budapp.connector_ops.services import get_gateway
from budapp.user_ops.services import find_person

router = APIRouter(prefix="/connectors", tags=["connectors"], route_class=IdempotentRoute)

Viewer = Annotated[Caller, Depends(Requires(Scope.ENDPOINT_VIEW))]
ViewerOf = Annotated[Caller, Depends(Requires(Scope.ENDPOINT_VIEW, row=get_gateway))]
ManagerOf = Annotated[Caller, Depends(Requires(Scope.ENDPOINT_MANAGE, row=get_gateway))]
ConsentsDep = Annotated[Consents, provided(Consents)]
State = Annotated[str, Query(min_length=16, max_length=512, description="The consent under way")]
Code = Annotated[str | None, Query(max_length=4096, description="What the authorization server sends for the consent")]
ReturnUrl = Annotated[str | None, Query(max_length=2000)]


class _Cookie:
    """The cookie of one consent under way; several may be, in one browser."""

    def __init__(self, request: Request, state: str) -> None:
        self._secure = components_of(request)[Settings].callback_base.startswith("https://")
        digest = hashlib.sha256(state.encode()).hexdigest()[:16]
        self._name = f"{'__Host-' if self._secure else ''}budapp-consent-{digest}"
        self.value = request.cookies.get(self._name)

    def set(self, answer: Response, value: str) -> None:
        # Lax: the way back is a navigation from another site.
        seconds = int(UNDER_WAY.total_seconds())
        answer.set_cookie(self._name, value, max_age=seconds, httponly=True, secure=self._secure, samesite="lax")


def _redirect(url: str) -> RedirectResponse:
    return RedirectResponse(url, 302, headers={"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"})


@router.get("/oauth/departure", dependencies=[public], response_class=RedirectResponse, status_code=302)
async def depart(state: State, request: Request, limited: Limited, consents: ConsentsDep) -> RedirectResponse:
    """Redirect the browser to the authorization server, with a cookie that identifies it when it returns."""
    await limited()
    cookie = _Cookie(request, state)
    url, binding = await consents.depart(state, cookie.value)
    answer = _redirect(url)
    if binding is not None:
        cookie.set(answer, binding)
    return answer


@router.get("/oauth/public-callback", dependencies=[public, ignores()])
async def come_back(
    request: Request, state: State, limited: Limited, consents: ConsentsDep, code: Code = None
) -> view.OAuthDone:
    """Take the browser back that left for a consent: a page is redirected to where it began, a script is told."""
    await limited()
    is_page = request.headers.get("sec-fetch-mode") == "navigate" or "text/html" in request.headers.get("accept", "")
    back = await consents.where_back(state) if is_page else None
    try:
        done = await consents.finish_in_browser(code, state, _Cookie(request, state).value)
    except AppError as error:
        if back is None:
            raise
        return _redirect(with_query(back, oauth_status="error", error=error.kind()))  # type: ignore[return-value]
    if back is None:
        return done
    told = with_query(back, oauth_status="success", gateway_id=str(done.gateway_id))
    return _redirect(told)  # type: ignore[return-value]


@router.post("/oauth/callback")
async def finish_consent(data: view.Callback, caller: Viewer, token: Token, consents: ConsentsDep) -> view.OAuthDone:
    """Hand in what the authorization server has sent your browser back with."""
    return await consents.finish_signed_in(caller, token, data)


@router.post("/{gateway_id}/oauth/initiate")
async def start_consent(
    gateway_id: UUID,
    caller: ViewerOf,
    token: Token,
    session: Read,
    consents: ConsentsDep,
    return_url: ReturnUrl = None,
) -> view.ConsentStarted:
    """Start giving your consent to a connector: the browser goes to `authorization_url`."""
    gateway = await get_gateway(session, caller, gateway_id)
    return await consents.start(session, caller, token, gateway, return_url)


@router.get("/{gateway_id}/oauth/status")
async def get_consent_status(
    gateway_id: UUID, caller: ViewerOf, token: Token, session: Read, consents: ConsentsDep
) -> view.OAuthStatus:
    """Return how a connector asks for consent."""
    return await consents.status(token, await get_gateway(session, caller, gateway_id))


@router.get("/{gateway_id}/oauth/token-status")
async def get_token_status(
    gateway_id: UUID, caller: ViewerOf, token: Token, session: Read, consents: ConsentsDep
) -> view.TokenStatus:
    """Return whether you gave a connector your consent."""
    return await consents.token_status(caller, token, await get_gateway(session, caller, gateway_id))


@router.delete("/{gateway_id}/oauth/token")
async def withdraw_consent(
    gateway_id: UUID, caller: ViewerOf, token: Token, session: Write, consents: ConsentsDep
) -> view.Done:
    """Withdraw your consent to a connector."""
    gateway = await get_gateway(session, caller, gateway_id)
    await services.note_withdrawal(session, gateway)
    await consents.withdraw(caller, token, gateway)
    return view.Done(message="Consent withdrawn")


@router.delete("/{gateway_id}/oauth/token/{user_email}")
async def withdraw_consent_of(
    gateway_id: UUID,
    user_email: Annotated[Email, Path()],
    caller: ManagerOf,
    token: Token,
    session: Write,
    consents: ConsentsDep,
) -> view.Done:
    """Withdraw the consent that somebody of your tenant gave to a connector."""
    gateway = await get_gateway(session, caller, gateway_id)
    await find_person(session, caller.tenant_id, email=user_email)
    await services.note_withdrawal(session, gateway, user_email)
    await consents.withdraw(caller, token, gateway, user_email)
    return view.Done(message="Consent withdrawn")


@router.post("/{gateway_id}/fetch-tools")
async def fetch_tools(
    gateway_id: UUID, caller: ViewerOf, token: Token, session: Read, consents: ConsentsDep
) -> view.Done:
    """Have the tools of a connector looked up anew, with your consent."""
    await consents.fetch_tools(caller, token, await get_gateway(session, caller, gateway_id))
    return view.Done(message="Tools looked up")
