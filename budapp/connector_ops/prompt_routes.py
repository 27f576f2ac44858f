from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query

from budapp.commons.access import Caller, Requires, Token
from budapp.commons.database import Read, Write
from budapp.commons.deadlines import TRIGGER_SECONDS, may_take
from budapp.commons.domain import provided
from budapp.commons.idempotency import IdempotentRoute
from budapp.commons.scopes import Scope
from budapp.connector_ops import schemas as view
from budapp.connector_ops.consents import Consents
from budapp.connector_ops.prompt_connectors import PromptConnectors
from budapp.connector_ops.services import Gateways, connector_item
from budapp.prompt_ops.drafts import require_readable

router = APIRouter(prefix="/prompts", tags=["prompts"], route_class=IdempotentRoute)

Person = Annotated[Caller, Depends(Requires(Scope.PROJECT_VIEW))]
"""Drafts are anybody's own; a prompt asks for more in its project."""
ConnectorsDep = Annotated[PromptConnectors, provided(PromptConnectors)]
GatewaysDep = Annotated[Gateways, provided(Gateways)]
ConsentsDep = Annotated[Consents, provided(Consents)]
Connector = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,99}$")]
PromptName = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,199}$")]
Version = Annotated[int, Query(ge=1, le=1_000_000)]
_SLOW = [may_take(TRIGGER_SECONDS)]


@router.get("/connectors")
async def list_connectors(
    caller: Person,
    token: Token,
    session: Read,
    found: ConnectorsDep,
    query: Annotated[view.PromptConnectorQuery, Query()],
) -> view.ConnectorList:
    """List the connectors that there are; of a prompt, those that it has or has not."""
    return await found.page(session, caller, token, query)


@router.get("/connectors/{connector}")
async def get_connector(
    connector: Connector, _caller: Person, token: Token, gateways: GatewaysDep
) -> view.ConnectorAnswer:
    """Get a connector, with the fields of its credentials."""
    return view.ConnectorAnswer(connector=connector_item(await gateways.connector(token, connector)))


@router.post("/{prompt_name}/connectors/{connector}/register", dependencies=_SLOW)
async def register(
    prompt_name: PromptName,
    connector: Connector,
    data: view.Register,
    caller: Person,
    token: Token,
    session: Write,
    found: ConnectorsDep,
) -> view.Registered:
    """Give a prompt, or a draft of your own, a connector."""
    return await found.register(session, caller, token, prompt_name, connector, data)


@router.delete("/{prompt_name}/connectors/{connector}/disconnect", dependencies=_SLOW)
async def disconnect(
    prompt_name: PromptName,
    connector: Connector,
    caller: Person,
    token: Token,
    session: Write,
    found: ConnectorsDep,
    version: Version = 1,
    permanent: bool = False,
) -> view.Disconnected:
    """Take a connector away from a prompt, or from a draft of your own."""
    return await found.disconnect(session, caller, token, prompt_name, connector, version)


@router.post("/prompt-config/add-tool", dependencies=_SLOW)
async def add_tools(
    data: view.AddTools, caller: Person, token: Token, session: Write, found: ConnectorsDep
) -> view.ToolsAdded:
    """Have a prompt, or a draft of your own, use these tools of a connector."""
    return await found.add_tools(session, caller, token, data)


@router.get("/tools")
async def list_tools(
    caller: Person,
    token: Token,
    session: Read,
    found: ConnectorsDep,
    query: Annotated[view.PromptToolQuery, Query()],
) -> view.PromptToolList:
    """List the tools of a prompt's connector, and which of them it uses."""
    return await found.tools(session, caller, token, query)


@router.get("/tools/{tool}")
async def get_tool(
    tool: Connector, caller: Person, token: Token, session: Read, found: ConnectorsDep
) -> view.ToolAnswer:
    """Get a tool, with what it takes."""
    return view.ToolAnswer(tool=await found.tool(session, caller, token, tool))


@router.post("/oauth/initiate")
async def start_consent(
    data: view.OfPrompt,
    caller: Person,
    token: Token,
    session: Read,
    found: ConnectorsDep,
    consents: ConsentsDep,
) -> view.ConsentStarted:
    """Start giving your consent to a prompt's connector: the browser goes to `authorization_url`."""
    await require_readable(session, caller, data.prompt_id, data.version or 1)
    gateway = await found.find(session, caller, data.prompt_id, data.connector_id, data.version or 1)
    return await consents.start(session, caller, token, gateway, None)


@router.get("/oauth/status")
async def get_consent_status(
    caller: Person,
    token: Token,
    session: Read,
    found: ConnectorsDep,
    consents: ConsentsDep,
    query: Annotated[view.OfPromptQuery, Query()],
) -> view.OAuthStatus:
    """Return how a prompt's connector asks for consent."""
    await require_readable(session, caller, query.prompt_id, query.version or 1)
    gateway = await found.find(session, caller, query.prompt_id, query.connector_id, query.version or 1)
    return await consents.status(token, gateway)


@router.post("/oauth/callback")
async def finish_consent(
    data: view.PromptCallback, caller: Person, token: Token, session: Read, found: ConnectorsDep
) -> view.OAuthDone:
    """Hand in what the authorization server has sent your browser back with."""
    return await found.finish_consent(session, caller, token, data)


@router.post("/oauth/fetch-tools")
async def fetch_tools(
    data: view.OfPrompt,
    caller: Person,
    token: Token,
    session: Read,
    found: ConnectorsDep,
    consents: ConsentsDep,
    gateways: GatewaysDep,
) -> view.ToolList:
    """Have the tools of a prompt's connector looked up anew, with your consent."""
    await require_readable(session, caller, data.prompt_id, data.version or 1)
    gateway = await found.find(session, caller, data.prompt_id, data.connector_id, data.version or 1)
    await consents.fetch_tools(caller, token, gateway)
    tools = [view.ToolItem.of(tool) for tool in await gateways.tools_of(token, gateway)]
    return view.ToolList(tools=tools, page=1, limit=len(tools) or 1, total_record=len(tools))
