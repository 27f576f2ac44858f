"""Gateways to MCP servers: the MCP Foundry keeps them, and budapp says whose they are and who may use them."""

import asyncio
from functools import partial
from uuid import UUID

from uuid_utils.compat import uuid7

from budapp.audit.models import Action, ResourceType
from budapp.audit.recorder import record
from budapp.commons.access import Caller
from budapp.commons.database import ReadSession, WriteSession, after_rollback, release
from budapp.commons.errors import BadRequest, NotFound
from budapp.connector_ops import schemas as view
from budapp.connector_ops.crud import GatewayCrud
from budapp.connector_ops.forms import form_of
from budapp.connector_ops.listing import envelope, page_of
from budapp.connector_ops.models import ConnectorGateway
from budapp.connector_ops.setting_up import GatewayChecks, check_kind, name_at_foundry
from budapp.integrations import mcp_foundry as peer
from budapp.integrations.mcp_foundry import Foundry
from budapp.integrations.peers import Json

_AT_ONCE = 8


async def get_gateway(session: ReadSession, caller: Caller, gateway_id: UUID) -> ConnectorGateway:
    """Return the gateway of the caller's tenant, or raise `NotFound`."""
    return await GatewayCrud(session, caller).get(gateway_id)


class Gateways:
    """What is done with gateways. Whatever the foundry refuses, fails at or does not answer is raised as it is."""

    def __init__(self, foundry: Foundry, checks: GatewayChecks) -> None:
        self._foundry = foundry
        self._checks = checks

    async def registry(self, token: str, query: view.RegistryQuery) -> view.ConnectorList:
        """Return a page of the connectors that there are, by their names."""
        name = (query.name or "").lower()
        found = [one for one in await self.connectors(token) if name in one.name.lower()]
        connectors = [connector_item(one) for one in sorted(found, key=lambda one: one.name.lower())]
        return view.ConnectorList(connectors=page_of(connectors, query), **envelope(query, len(connectors)))

    async def connectors(self, token: str) -> list[peer.Connector]:
        """Return all that the registry has."""
        return (await self._foundry.ask(peer.Registry, token, "GET", "admin/mcp-registry/servers")).servers

    async def connector(self, token: str, connector_id: str) -> peer.Connector:
        """Return a connector of the registry, or raise `NotFound`."""
        for one in await self.connectors(token):
            if one.id == connector_id:
                return one
        raise NotFound("Connector not found")

    async def create(
        self, session: WriteSession, caller: Caller, token: str, data: view.GatewayCreate
    ) -> view.GatewayView:
        """Set a connector of the registry up for the tenant.

        Raises:
            NotFound: there is no such connector.
            BadRequest: the credentials are of another kind.
            UnprocessableContent: one of the addresses must not be called.
        """
        connector = await self.connector(token, data.connector_id)
        check_kind(connector, data.credentials)
        row = gateway_row(caller, connector, data.credentials)
        return gateway_view(await self.set_up(session, token, row, data.credentials))

    async def create_custom(
        self, session: WriteSession, caller: Caller, token: str, data: view.CustomGatewayCreate
    ) -> view.GatewayView:
        """Set an MCP server of the tenant's own up.

        Raises:
            BadRequest: the credentials are of another kind than `auth_type`.
            UnprocessableContent: one of the addresses must not be called.
        """
        if view.auth_type_of(data.credentials) != data.auth_type:
            raise BadRequest(f"The credentials must be of the kind {data.auth_type}", param="credentials")
        row = ConnectorGateway(
            tenant_id=caller.tenant_id,
            created_by=caller.user_id,
            name=data.name,
            url=data.url,
            description=data.description,
            transport=data.transport or "STREAMABLEHTTP",
            auth_type=data.auth_type,
            addresses=data.credentials.addresses(),
            is_custom=True,
        )
        return gateway_view(await self.set_up(session, token, row, data.credentials))

    async def set_up(
        self, session: WriteSession, token: str, row: ConnectorGateway, credentials: view.Credentials
    ) -> ConnectorGateway:
        """Have the foundry make the gateway of a new row; where that is lost, the foundry's is deleted again."""
        await self._checks.addresses([row.url], "url")
        await self._checks.addresses(row.addresses or [])
        await release(session)
        about = {"name": name_at_foundry(row.name), "url": row.url, "transport": row.transport}
        body = self._checks.body(credentials, **about, description=row.description, tags=row.tags or [])
        made = await self._foundry.ask(peer.Gateway, token, "POST", "gateways", body=body)
        path = f"gateways/{made.id}"
        after_rollback(session, partial(self._foundry.forget, token, path))
        row.id, row.foundry_id = uuid7(), made.id
        session.add(row)
        await session.flush()
        return row

    async def page(self, session: ReadSession, caller: Caller, query: view.GatewayPaging) -> view.GatewayList:
        """Return a page of the tenant's gateways, the newest first."""
        page = await GatewayCrud(session, caller).page_of_gateways(query)
        gateways = [gateway_view(row.ConnectorGateway) for row in page.rows]
        return view.GatewayList(gateways=gateways, **page.envelope())

    async def update(
        self, session: WriteSession, caller: Caller, token: str, gateway_id: UUID, data: view.GatewayUpdate
    ) -> view.GatewayView:
        """Change what was sent.

        Raises:
            NotFound: no such gateway.
            BadRequest: the credentials are of another kind.
            UnprocessableContent: one of the addresses must not be called.
        """
        gateway = await get_gateway(session, caller, gateway_id)
        if data.credentials is not None and view.auth_type_of(data.credentials) != gateway.auth_type:
            raise BadRequest(f"The credentials must be of the kind {gateway.auth_type}", param="credentials")
        await release(session)
        if data.url is not None:
            await self._checks.addresses([data.url], "url")
        await self._checks.addresses(data.credentials.addresses() if data.credentials else [])
        changes = data.model_dump(mode="json", include={"description", "url"}, exclude_unset=True)
        body = self._checks.body(data.credentials, **changes) if data.credentials else changes
        if body:
            await self._foundry.ask(peer.Gateway, token, "PUT", f"gateways/{gateway.foundry_id}", body=body)
        row = await GatewayCrud(session, caller).get(gateway_id, for_update=True)
        for name in {"name", "description", "url"} & data.model_fields_set:
            setattr(row, name, getattr(data, name))
        if data.credentials is not None:
            row.addresses = data.credentials.addresses()
        await session.flush()
        return gateway_view(row)

    async def delete(self, session: WriteSession, caller: Caller, token: str, gateway_id: UUID) -> None:
        """Delete a gateway, at the foundry first; or raise `NotFound`."""
        gateway = await get_gateway(session, caller, gateway_id)
        await release(session)
        await self._foundry.forget(token, f"gateways/{gateway.foundry_id}")
        await session.delete(await GatewayCrud(session, caller).get(gateway_id, for_update=True))

    async def configured(
        self, session: ReadSession, caller: Caller, token: str, query: view.ConfiguredQuery
    ) -> view.ConfiguredList:
        """Return a page of the tenant's gateways, with how many tools each has and whether the caller has consented."""
        crud = GatewayCrud(session, caller)
        page = await crud.page_of_gateways(query, only_enabled=not query.include_disabled, client=query.client)
        rows = [row.ConnectorGateway for row in page.rows]
        await release(session)
        gate = asyncio.Semaphore(_AT_ONCE)

        async def shown(row: ConnectorGateway) -> view.ConfiguredItem:
            async with gate:
                tools = await self.tools_of(token, row)
                connected = row.auth_type == "OAuth" and await self._connected(caller, token, row)
            return _configured(row, len(tools), connected)

        return view.ConfiguredList(connectors=await asyncio.gather(*map(shown, rows)), **page.envelope())

    async def available(
        self, session: ReadSession, caller: Caller, token: str, query: view.AvailableQuery
    ) -> view.AvailableList:
        """Return a page of the gateways that can be used, with their tools."""
        page = await GatewayCrud(session, caller).page_of_gateways(query, only_enabled=True, client=query.client)
        rows = [row.ConnectorGateway for row in page.rows]
        await release(session)
        gate = asyncio.Semaphore(_AT_ONCE)

        async def shown(row: ConnectorGateway) -> view.AvailableItem:
            async with gate:
                tools = [view.ToolItem.of(tool) for tool in await self.tools_of(token, row)]
            about = {name: getattr(row, name) for name in ("id", "name", "icon", "description", "auth_type")}
            return view.AvailableItem(**about, tools=tools)

        return view.AvailableList(connectors=await asyncio.gather(*map(shown, rows)), **page.envelope())

    async def tools(
        self, session: ReadSession, caller: Caller, token: str, gateway_id: UUID, query: view.ToolQuery
    ) -> view.ToolList:
        """Return a page of a gateway's tools, or raise `NotFound`."""
        gateway = await get_gateway(session, caller, gateway_id)
        await release(session)
        found = [view.ToolItem.of(tool) for tool in await self.tools_of(token, gateway)]
        return view.ToolList(tools=page_of(found, query), **envelope(query, len(found)))

    async def tools_of(self, token: str, gateway: ConnectorGateway) -> list[peer.Tool]:
        """Return the tools of a gateway, by their names."""
        query = {"gateway_id": gateway.foundry_id, "limit": 0}
        found = await self._foundry.ask(peer.Tools, token, "GET", "tools", params=query)
        mine = [tool for tool in found.items if tool.gateway_id in {None, gateway.foundry_id}]
        return sorted(mine, key=lambda tool: tool.name)

    async def _connected(self, caller: Caller, token: str, gateway: ConnectorGateway) -> bool:
        path = f"oauth/api/tokens/{gateway.foundry_id}"
        try:
            return (await self._foundry.ask(peer.TokenState, token, "GET", path, user_id=caller.user_id)).connected
        except NotFound:
            return False


async def toggle(session: WriteSession, caller: Caller, gateway_id: UUID, data: view.Toggle) -> view.GatewayView:
    """Turn a gateway on or off for those who use it; or raise `NotFound`."""
    row = await GatewayCrud(session, caller).get(gateway_id, for_update=True)
    row.enabled = data.enabled
    await session.flush()
    return gateway_view(row)


async def set_clients(session: WriteSession, caller: Caller, gateway_id: UUID, data: view.Clients) -> view.GatewayView:
    """Say which clients may use a gateway; or raise `NotFound`."""
    row = await GatewayCrud(session, caller).get(gateway_id, for_update=True)
    row.clients = list(dict.fromkeys(data.clients))
    await session.flush()
    return gateway_view(row)


async def set_connector(
    session: WriteSession, caller: Caller, gateway_id: UUID, connector: peer.Connector
) -> view.GatewayView:
    """Say which connector of the registry a gateway is one of; or raise `NotFound`."""
    row = await GatewayCrud(session, caller).get(gateway_id, for_update=True)
    row.connector_id, row.icon, row.category = connector.id, connector.icon, connector.category
    row.documentation_url = connector.documentation_url
    await session.flush()
    return gateway_view(row)


def gateway_row(caller: Caller, connector: peer.Connector, credentials: view.Credentials) -> ConnectorGateway:
    """Return a new row for a connector of the registry; the foundry is still to be asked."""
    return ConnectorGateway(
        tenant_id=caller.tenant_id,
        created_by=caller.user_id,
        connector_id=connector.id,
        name=connector.name,
        url=connector.url,
        description=connector.description,
        icon=connector.icon,
        category=connector.category,
        documentation_url=connector.documentation_url,
        transport="STREAMABLEHTTP",
        auth_type=connector.auth_type,
        addresses=credentials.addresses(),
        tags=connector.tags[:20],
    )


def gateway_view(row: ConnectorGateway) -> view.GatewayView:
    """Return a gateway as it is shown."""
    names = ("name", "url", "transport", "connector_id", "description", "auth_type", "enabled", "is_custom")
    known: Json = {name: getattr(row, name) for name in (*names, "created_at", "modified_at")}
    return view.GatewayView(gateway_id=row.id, tags=row.shown_tags, **known)


def connector_item(connector: peer.Connector) -> view.ConnectorItem:
    """Return a connector of the registry as it is shown."""
    return view.ConnectorItem(**connector.model_dump(), credential_schema=form_of(connector.auth_type))


def _configured(row: ConnectorGateway, tool_count: int, connected: bool) -> view.ConfiguredItem:
    names = ("connector_id", "name", "enabled", "icon", "description", "category", "auth_type", "documentation_url")
    known: Json = {name: getattr(row, name) for name in (*names, "is_custom")}
    ids = {"id": row.id, "gateway_id": row.id}
    return view.ConfiguredItem(**ids, **known, tags=row.shown_tags, tool_count=tool_count, oauth_connected=connected)


async def note_withdrawal(session: WriteSession, gateway: ConnectorGateway, email: str | None = None) -> None:
    """Leave an entry in the audit trail of a consent that is withdrawn; with an e-mail, somebody else's."""
    details = {"consent": "withdrawn", **({"email": email} if email is not None else {})}
    about: Json = {"resource_id": gateway.id, "resource_name": gateway.name}
    record(session, Action.PERMISSION_CHANGED, ResourceType.CONFIG, details=details, **about)
