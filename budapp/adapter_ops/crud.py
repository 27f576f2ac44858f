from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, func, or_, select

from budapp.adapter_ops.models import Adapter
from budapp.adapter_ops.schemas import AdapterQuery
from budapp.commons.crud import Crud, Page
from budapp.commons.database import ReadSession, WriteSession, not_deleted
from budapp.commons.paging import equal, matching
from budapp.endpoint_ops.models import Endpoint
from budapp.model_ops.models import Model
from budapp.project_ops.services import projects_in_reach

_COLUMNS = {name: getattr(Adapter, name) for name in ("id", "name", "deployment_name", "status", "created_at")}
_MODEL = ("id", "name", "icon", "tags", "author", "description", "uri", "model_size", "provider_type")


class AdapterCrud(Crud[Adapter]):
    """The adapters of the endpoints in the caller's reach."""

    model = Adapter

    def reach(self) -> list[Any]:
        """Add that the endpoint's project is in reach."""
        projects = projects_in_reach(self.session, self.caller)
        endpoints = select(Endpoint.id).where(Endpoint.project_id.in_(projects), not_deleted(Endpoint))
        return [*super().reach(), Adapter.endpoint_id.in_(endpoints)]

    async def page_of_adapters(self, endpoint_id: UUID, query: AdapterQuery) -> Page:
        """Return a page of an endpoint's adapters, as `AdapterView` columns; those of the model have a prefix."""
        model = [getattr(Model, name).label(f"model__{name}") for name in _MODEL]
        statement = self.visible(*_COLUMNS.values(), *model).outerjoin(Model, Model.id == Adapter.model_id)
        statement = statement.where(Adapter.endpoint_id == endpoint_id, *equal(query, status=Adapter.status))
        return await self.page(query, statement.where(*matching(query, name=Adapter.name)), _COLUMNS)


async def of_endpoint(session: ReadSession, endpoint_id: UUID) -> Sequence[Row[Any]]:
    """Return name, deployment name, model and files of the endpoint's adapters, the oldest first."""
    columns = (Adapter.id, Adapter.name, Adapter.deployment_name, Adapter.model_id, Model.local_path)
    statement = select(*columns).outerjoin(Model, Model.id == Adapter.model_id)
    statement = statement.where(Adapter.endpoint_id == endpoint_id, not_deleted(Adapter)).order_by(Adapter.created_at)
    rows: Sequence[Any] = (await session.execute(statement)).all()
    return rows


async def name_taken(session: ReadSession, tenant_id: UUID, name: str) -> bool:
    """Tell whether an adapter or an endpoint of the tenant has the name."""
    adapters = select(Adapter.id).where(
        Adapter.tenant_id == tenant_id, func.lower(Adapter.name) == name.lower(), not_deleted(Adapter)
    )
    endpoints = select(Endpoint.id).where(
        Endpoint.tenant_id == tenant_id, func.lower(Endpoint.name) == name.lower(), not_deleted(Endpoint)
    )
    return bool(await session.scalar(select(or_(adapters.exists(), endpoints.exists()))))


async def lock(session: WriteSession, tenant_id: UUID, adapter_id: UUID) -> Adapter | None:
    """Return the tenant's adapter, locked, if it is not deleted."""
    mine = (Adapter.id == adapter_id, Adapter.tenant_id == tenant_id, not_deleted(Adapter))
    found: Adapter | None = await session.scalar(
        select(Adapter).where(*mine).with_for_update().execution_options(populate_existing=True)
    )
    return found


async def find(session: ReadSession, tenant_id: UUID, adapter_id: UUID) -> Adapter | None:
    """Return the tenant's adapter, if it is not deleted."""
    mine = (Adapter.id == adapter_id, Adapter.tenant_id == tenant_id, not_deleted(Adapter))
    found: Adapter | None = await session.scalar(select(Adapter).where(*mine))
    return found


async def live_of(session: WriteSession, endpoint_id: UUID) -> Sequence[Adapter]:
    """Return an endpoint's adapters, locked in the order of their ids."""
    mine = (Adapter.endpoint_id == endpoint_id, not_deleted(Adapter))
    return (await session.scalars(select(Adapter).where(*mine).order_by(Adapter.id).with_for_update())).all()
