from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query

from budapp.commons.access import Caller, Requires, Token
from budapp.commons.database import Read, Write
from budapp.commons.deadlines import TRIGGER_SECONDS, may_take
from budapp.commons.domain import provided
from budapp.commons.idempotency import IdempotentRoute
from budapp.commons.scopes import Scope
from budapp.connector_ops import forms, services
from budapp.connector_ops import schemas as view
from budapp.connector_ops.services import Gateways, get_gateway

router = APIRouter(prefix="/connectors", tags=["connectors"], route_class=IdempotentRoute)

Viewer = Annotated[Caller, Depends(Requires(Scope.ENDPOINT_VIEW))]
Manager = Annotated[Caller, Depends(Requires(Scope.ENDPOINT_MANAGE))]
ViewerOf = Annotated[Caller, Depends(Requires(Scope.ENDPOINT_VIEW, row=get_gateway))]
ManagerOf = Annotated[Caller, Depends(Requires(Scope.ENDPOINT_MANAGE, row=get_gateway))]
GatewaysDep = Annotated[Gateways, provided(Gateways)]
ConnectorName = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,99}$")]
_SLOW = [may_take(TRIGGER_SECONDS)]
_ONE, _CONFIGURED = "/gateways/{gateway_id}", "/configured/{gateway_id}"


@router.get("/registry")
async def list_registry(
    _caller: Manager, token: Token, gateways: GatewaysDep, query: Annotated[view.RegistryQuery, Query()]
) -> view.ConnectorList:
    """List the connectors that can be set up."""
    return await gateways.registry(token, query)


@router.get("/registry/{connector}")
async def get_connector(
    connector: ConnectorName, _caller: Manager, token: Token, gateways: GatewaysDep
) -> view.ConnectorAnswer:
    """Get a connector that can be set up, with the fields of its credentials."""
    return view.ConnectorAnswer(connector=services.connector_item(await gateways.connector(token, connector)))


@router.get("/gateways")
async def list_gateways(
    caller: Manager, session: Read, gateways: GatewaysDep, query: Annotated[view.GatewayPaging, Query()]
) -> view.GatewayList:
    """List what was set up, the newest first."""
    return await gateways.page(session, caller, query)


@router.post("/gateways", status_code=201, dependencies=_SLOW)
async def create_gateway(
    data: view.GatewayCreate, caller: Manager, token: Token, session: Write, gateways: GatewaysDep
) -> view.GatewayAnswer:
    """Set up a connector of the registry."""
    made = await gateways.create(session, caller, token, data)
    return view.GatewayAnswer(message="Connector set up", gateway=made)


@router.post("/custom", status_code=201, dependencies=_SLOW)
async def create_custom_gateway(
    data: view.CustomGatewayCreate, caller: Manager, token: Token, session: Write, gateways: GatewaysDep
) -> view.GatewayAnswer:
    """Set up an MCP server of your own."""
    made = await gateways.create_custom(session, caller, token, data)
    return view.GatewayAnswer(message="Connector set up", gateway=made)


@router.get("/custom/credential-schema")
async def get_credential_schema(_caller: Manager) -> view.CredentialSchema:
    """Return the fields by which credentials of each kind are entered."""
    return view.CredentialSchema(forms=forms.forms())


@router.get(_ONE)
async def get_one(gateway_id: UUID, caller: ManagerOf, session: Read) -> view.GatewayAnswer:
    """Get a connector that was set up."""
    return view.GatewayAnswer(gateway=services.gateway_view(await get_gateway(session, caller, gateway_id)))


@router.put(_ONE, dependencies=_SLOW)
async def update_gateway(
    gateway_id: UUID,
    data: view.GatewayUpdate,
    caller: ManagerOf,
    token: Token,
    session: Write,
    gateways: GatewaysDep,
) -> view.GatewayAnswer:
    """Change a connector; what is left out stays as it is."""
    changed = await gateways.update(session, caller, token, gateway_id, data)
    return view.GatewayAnswer(message="Connector changed", gateway=changed)


@router.delete(_ONE, dependencies=_SLOW)
async def delete_gateway(
    gateway_id: UUID, caller: ManagerOf, token: Token, session: Write, gateways: GatewaysDep
) -> view.Done:
    """Delete a connector."""
    await gateways.delete(session, caller, token, gateway_id)
    return view.Done(message="Connector deleted")


@router.get("/configured", dependencies=_SLOW)
async def list_configured(
    caller: Manager,
    token: Token,
    session: Read,
    gateways: GatewaysDep,
    query: Annotated[view.ConfiguredQuery, Query()],
) -> view.ConfiguredList:
    """List what was set up, with how many tools each has and whether you gave your consent."""
    return await gateways.configured(session, caller, token, query)


@router.patch(_CONFIGURED + "/toggle")
async def toggle_gateway(gateway_id: UUID, data: view.Toggle, caller: ManagerOf, session: Write) -> view.GatewayAnswer:
    """Turn a connector on or off."""
    changed = await services.toggle(session, caller, gateway_id, data)
    return view.GatewayAnswer(
        message="Connector turned on" if data.enabled else "Connector turned off", gateway=changed
    )


@router.patch(_CONFIGURED + "/clients")
async def set_clients(gateway_id: UUID, data: view.Clients, caller: ManagerOf, session: Write) -> view.GatewayAnswer:
    """Say which clients may use a connector."""
    changed = await services.set_clients(session, caller, gateway_id, data)
    return view.GatewayAnswer(message="Clients changed", gateway=changed)


@router.post(_CONFIGURED + "/tag")
async def tag_gateway(
    gateway_id: UUID, data: view.TagExisting, caller: ManagerOf, token: Token, session: Write, gateways: GatewaysDep
) -> view.GatewayAnswer:
    """Say which connector of the registry this is one of."""
    connector = await gateways.connector(token, data.connector_id)
    changed = await services.set_connector(session, caller, gateway_id, connector)
    return view.GatewayAnswer(message="Connector tagged", gateway=changed)


@router.get("/available", dependencies=_SLOW)
async def list_available(
    caller: Viewer,
    token: Token,
    session: Read,
    gateways: GatewaysDep,
    query: Annotated[view.AvailableQuery, Query()],
) -> view.AvailableList:
    """List the connectors that can be used, with their tools."""
    return await gateways.available(session, caller, token, query)


@router.get("/{gateway_id}/tools")
async def list_tools(
    gateway_id: UUID,
    caller: ViewerOf,
    token: Token,
    session: Read,
    gateways: GatewaysDep,
    query: Annotated[view.ToolQuery, Query()],
) -> view.ToolList:
    """List the tools of a connector."""
    return await gateways.tools(session, caller, token, gateway_id, query)
