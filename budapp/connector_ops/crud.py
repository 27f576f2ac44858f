from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import any_, func, literal, select

from budapp.commons.crud import Crud, Page
from budapp.commons.database import ReadSession, WriteSession
from budapp.connector_ops.models import ConnectorGateway
from budapp.connector_ops.schemas import GatewayPaging


class GatewayCrud(Crud[ConnectorGateway]):
    """The gateways of the caller's tenant that are no single prompt's."""

    model = ConnectorGateway
    soft_deleted = False

    def reach(self) -> list[Any]:
        """Add that it is no prompt's."""
        return [*super().reach(), ConnectorGateway.bud_prompt_id.is_(None)]

    async def page_of_gateways(
        self, query: GatewayPaging, *, only_enabled: bool = False, client: str | None = None
    ) -> Page:
        """Return a page of gateways, each in a row of its own."""
        statement = self.visible()
        if only_enabled:
            statement = statement.where(ConnectorGateway.enabled)
        if client is not None:
            statement = statement.where(literal(client) == any_(ConnectorGateway.clients))
        total = await self.session.scalar(select(func.count()).select_from(statement.subquery())) or 0
        newest = (ConnectorGateway.created_at.desc(), ConnectorGateway.id.desc())
        shown = statement.order_by(*newest).limit(query.limit).offset((query.page - 1) * query.limit)
        rows = list((await self.session.execute(shown)).all())
        return Page(query, rows, total, None)


async def of_prompt(
    session: ReadSession, tenant_id: UUID, bud_prompt_id: str, version: int | None = None, *, lock: bool = False
) -> Sequence[ConnectorGateway]:
    """Return the gateways of a prompt or draft, or of one version of it, the oldest first; locked where asked."""
    mine = [ConnectorGateway.tenant_id == tenant_id, ConnectorGateway.bud_prompt_id == bud_prompt_id]
    if version is not None:
        mine.append(ConnectorGateway.prompt_version == version)
    statement = select(ConnectorGateway).where(*mine).order_by(ConnectorGateway.created_at, ConnectorGateway.id)
    if lock:
        statement = statement.with_for_update().execution_options(populate_existing=True)
    return (await session.scalars(statement)).all()


async def lock(session: WriteSession, tenant_id: UUID, id: UUID) -> ConnectorGateway | None:
    """Return the tenant's gateway, locked; one of a prompt, too."""
    mine = (ConnectorGateway.id == id, ConnectorGateway.tenant_id == tenant_id)
    found: ConnectorGateway | None = await session.scalar(
        select(ConnectorGateway).where(*mine).with_for_update().execution_options(populate_existing=True)
    )
    return found


async def has(session: ReadSession, tenant_id: UUID, foundry_id: str | None) -> bool:
    """Tell whether the tenant has a gateway that the foundry calls so."""
    mine = (ConnectorGateway.tenant_id == tenant_id, ConnectorGateway.foundry_id == foundry_id)
    return bool(await session.scalar(select(select(ConnectorGateway.id).where(*mine).exists())))
