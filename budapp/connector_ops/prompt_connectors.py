"""Connectors and tools of prompts: rows say which a version has, and budprompt is told through the outbox."""

from collections.abc import Sequence
from functools import partial
from uuid import UUID

from budapp.commons.access import Caller
from budapp.commons.database import ReadSession, WriteSession, after_rollback, release
from budapp.commons.errors import BadRequest, Conflict, NotFound
from budapp.commons.integrity import conflict_on
from budapp.connector_ops import crud
from budapp.connector_ops import schemas as view
from budapp.connector_ops.consents import Consents
from budapp.connector_ops.listing import envelope, page_of
from budapp.connector_ops.models import ConnectorGateway
from budapp.connector_ops.services import Gateways, connector_item, gateway_row, gateway_view
from budapp.connector_ops.setting_up import check_kind
from budapp.events.outbox import enqueue_call
from budapp.integrations import budprompt
from budapp.integrations import mcp_foundry as peer
from budapp.integrations.mcp_foundry import Foundry
from budapp.integrations.peers import Json
from budapp.prompt_ops.drafts import require_readable, require_writable

_TWICE = Conflict("The prompt has this connector already; disconnect it first", param="connector_id")


class PromptConnectors:
    """What is done with a prompt's connectors. Whatever the foundry refuses or fails at is raised as it is."""

    def __init__(self, foundry: Foundry, gateways: Gateways, consents: Consents) -> None:
        self._foundry = foundry
        self._gateways = gateways
        self._consents = consents

    async def page(
        self, session: ReadSession, caller: Caller, token: str, query: view.PromptConnectorQuery
    ) -> view.ConnectorList:
        """Return a page of the connectors that there are; of a prompt, those that it has or has not."""
        has: set[str | None] = set()
        if query.prompt_id is not None:
            await require_readable(session, caller, query.prompt_id, query.version)
            rows = await crud.of_prompt(session, caller.tenant_id, query.prompt_id, query.version)
            has = {row.connector_id for row in rows}
        await release(session)
        name = (query.name or "").lower()
        found = [one for one in await self._gateways.connectors(token) if name in one.name.lower()]
        if query.prompt_id is not None and query.is_registered is not None:
            found = [one for one in found if (one.id in has) is query.is_registered]
        items = [connector_item(one) for one in sorted(found, key=lambda one: one.name.lower())]
        return view.ConnectorList(connectors=page_of(items, query), **envelope(query, len(items)))

    async def register(
        self, session: WriteSession, caller: Caller, token: str, called: str, connector_id: str, data: view.Register
    ) -> view.Registered:
        """Give a prompt, or a draft of the caller's, a connector.

        Raises:
            NotFound: there is no such prompt or connector.
            Forbidden: the caller lacks endpoint:manage in the prompt's project.
            BadRequest: the credentials are of another kind.
            Conflict: it has the connector already.
        """
        await require_writable(session, caller, called, data.version)
        await release(session)
        connector = await self._gateways.connector(token, connector_id)
        check_kind(connector, data.credentials)
        row = gateway_row(caller, connector, data.credentials)
        row.bud_prompt_id, row.prompt_version = called, data.version
        with conflict_on("uq_connector_gateway_of_prompt", _TWICE):
            await self._gateways.set_up(session, token, row, data.credentials)
        await self._tell(session, caller, called, data.version)
        return view.Registered(gateway=gateway_view(row), connector_id=connector_id, budprompt_id=called)

    async def disconnect(
        self, session: WriteSession, caller: Caller, token: str, called: str, connector_id: str, version: int
    ) -> view.Disconnected:
        """Take a connector away from a prompt, at the foundry first.

        Raises:
            NotFound: there is no such prompt, or it has no such connector.
            Forbidden: the caller lacks endpoint:manage in the prompt's project.
        """
        await require_writable(session, caller, called, version)
        row = await self.find(session, caller, called, connector_id, version)
        await release(session)
        await self._take_away(token, row)
        locked = await crud.lock(session, caller.tenant_id, row.id)
        if locked is not None:
            await session.delete(locked)
            await session.flush()
        await self._tell(session, caller, called, version)
        return view.Disconnected(prompt_id=called, connector_id=connector_id, deleted_gateway_id=row.id)

    async def tools(
        self, session: ReadSession, caller: Caller, token: str, query: view.PromptToolQuery
    ) -> view.PromptToolList:
        """Return a page of the tools of a prompt's connector, and which of them it uses."""
        version = query.version or 1
        await require_readable(session, caller, query.prompt_id, version)
        row = await self.find(session, caller, query.prompt_id, query.connector_id, version)
        await release(session)
        found = [
            view.PromptToolItem(id=tool.id, name=tool.name, type=tool.type, is_added=tool.id in row.tool_ids)
            for tool in await self._gateways.tools_of(token, row)
        ]
        return view.PromptToolList(tools=page_of(found, query), **envelope(query, len(found)))

    async def tool(self, session: ReadSession, caller: Caller, token: str, tool_id: str) -> view.ToolDetail:
        """Return what a tool of the tenant's gateways takes, or raise `NotFound`."""
        found = await self._foundry.ask(peer.Tool, token, "GET", f"tools/{tool_id}")
        if not await crud.has(session, caller.tenant_id, found.gateway_id):
            raise NotFound("Tool not found")
        about = {"id": found.id, "name": found.name, "type": found.type, "description": found.description or ""}
        return view.ToolDetail(**about, parameters=found.input_schema)

    async def add_tools(
        self, session: WriteSession, caller: Caller, token: str, data: view.AddTools
    ) -> view.ToolsAdded:
        """Have a prompt use these tools of its connector, and no others of it.

        Raises:
            NotFound: there is no such prompt, or it has no such connector.
            Forbidden: the caller lacks endpoint:manage in the prompt's project.
            BadRequest: the connector has no such tool.
        """
        await require_writable(session, caller, data.prompt_id, data.version)
        row = await self.find(session, caller, data.prompt_id, data.connector_id, data.version)
        await release(session)
        known = {tool.id for tool in await self._gateways.tools_of(token, row)}
        wanted = list(dict.fromkeys(data.tool_ids))
        if not known.issuperset(wanted):
            raise BadRequest("The connector has no such tool; look its tools up anew", param="tool_ids")
        server = await self._offer(session, token, row, wanted)
        locked = await crud.lock(session, caller.tenant_id, row.id)
        if locked is None:
            raise NotFound("The connector was disconnected in the meantime")
        locked.virtual_server_id, locked.tool_ids = server.id, wanted
        await session.flush()
        await self._tell(session, caller, data.prompt_id, data.version)
        names = {"virtual_server_id": server.id, "virtual_server_name": server.name}
        return view.ToolsAdded(added_tools=wanted, **names)

    async def finish_consent(
        self, session: ReadSession, caller: Caller, token: str, data: view.PromptCallback
    ) -> view.OAuthDone:
        """Hand in what the authorization server has sent the caller's browser back with.

        Raises:
            NotFound: it is for a prompt's connector that is not there.
            BadRequest: it does not count, or is for another connector.
        """
        gateway_ids: list[UUID] | None = None
        if data.prompt_id is not None and data.connector_id is not None:
            found = await self._find_all(session, caller, data.prompt_id, data.connector_id)
            gateway_ids = [row.id for row in found]
        await release(session)
        return await self._consents.finish_signed_in(caller, token, data, gateway_ids)

    async def find(
        self, session: ReadSession, caller: Caller, called: str, connector_id: str, version: int
    ) -> ConnectorGateway:
        """Return the gateway of a prompt's connector, or raise `NotFound` where the prompt has none."""
        return (await self._find_all(session, caller, called, connector_id, version))[0]

    async def _find_all(
        self, session: ReadSession, caller: Caller, called: str, connector_id: str, version: int | None = None
    ) -> list[ConnectorGateway]:
        rows = await crud.of_prompt(session, caller.tenant_id, called, version)
        found = [row for row in rows if row.connector_id == connector_id]
        if not found:
            raise NotFound("The prompt has no such connector", param="connector_id")
        return found

    async def _offer(
        self, session: WriteSession, token: str, row: ConnectorGateway, tools: Sequence[str]
    ) -> peer.VirtualServer:
        """Have a server at the foundry offer these tools; where a new one is not kept here, it is deleted again."""
        name = f"{row.bud_prompt_id}-v{row.prompt_version}-{row.connector_id}-{row.id.hex[-12:]}"
        body = {"server": {"name": name[:255], "associated_tools": list(tools)}, "visibility": "private"}
        if row.virtual_server_id is not None:
            path = f"servers/{row.virtual_server_id}"
            return await self._foundry.ask(peer.VirtualServer, token, "PUT", path, body=body["server"])
        made = await self._foundry.ask(peer.VirtualServer, token, "POST", "servers", body=body)
        after_rollback(session, partial(self._foundry.forget, token, f"servers/{made.id}"))
        return made

    async def _take_away(self, token: str, row: ConnectorGateway) -> None:
        for path in _paths(row):
            await self._foundry.forget(token, path)

    async def _tell(self, session: WriteSession, caller: Caller, called: str, version: int) -> None:
        """Have budprompt know the tools of a version as the rows say, in the order of their changes."""
        rows = await crud.of_prompt(session, caller.tenant_id, called, version, lock=True)
        permanent = await require_writable(session, caller, called, version)
        call = budprompt.save_tools(called, version, [_tool(row) for row in rows], permanent=permanent)
        await enqueue_call(session, call, aggregate=f"prompt-tools:{called}")


async def after_copy(session: WriteSession, tenant_id: UUID, source: tuple[str, int], target: tuple[str, int]) -> None:
    """Have the connectors of a draft be those of the version that it has become."""
    for row in await crud.of_prompt(session, tenant_id, *source, lock=True):
        row.bud_prompt_id, row.prompt_version = target
    await session.flush()


async def at_foundry(session: ReadSession, tenant_id: UUID, called: str, version: int | None) -> list[str]:
    """Return where the foundry has the connectors and tools of a prompt, or of one version of it."""
    return [path for row in await crud.of_prompt(session, tenant_id, called, version) for path in _paths(row)]


async def after_deletion(session: WriteSession, tenant_id: UUID, called: str, version: int | None) -> None:
    """Forget the connectors of a prompt, or of a draft: of drafts, budprompt has the foundry delete what they had."""
    for row in await crud.of_prompt(session, tenant_id, called, version, lock=True):
        await session.delete(row)
    await session.flush()


def _paths(row: ConnectorGateway) -> list[str]:
    server = [f"servers/{row.virtual_server_id}"] if row.virtual_server_id is not None else []
    return [f"gateways/{row.foundry_id}", *server]


def _tool(row: ConnectorGateway) -> Json:
    connector = row.connector_id or ""
    server = {row.virtual_server_id: row.tool_ids} if row.virtual_server_id is not None else {}
    return {
        "type": "mcp",
        "server_label": row.name,
        "server_url": row.virtual_server_id,
        "require_approval": "never",
        "allowed_tools": row.tool_ids,
        "connector_id": connector,
        "gateway_config": {connector: row.foundry_id},
        "server_config": server,
    }
