from typing import Any
from uuid import UUID

from sqlalchemy import select

from budapp.commons.crud import Crud
from budapp.commons.database import ReadSession, WriteSession, not_deleted
from budapp.endpoint_ops.models import Endpoint
from budapp.project_ops.services import projects_in_reach


class LiveEndpointCrud(Crud[Endpoint]):
    """The endpoints of the projects in the caller's reach."""

    model = Endpoint

    def reach(self) -> list[Any]:
        """Add that the project is in reach."""
        return [*super().reach(), Endpoint.project_id.in_(projects_in_reach(self.session, self.caller))]


async def find(session: ReadSession, tenant_id: UUID, endpoint_id: UUID) -> Endpoint | None:
    """Return the tenant's endpoint, whoever asks; None where it is deleted."""
    mine = (Endpoint.id == endpoint_id, Endpoint.tenant_id == tenant_id, not_deleted(Endpoint))
    found: Endpoint | None = await session.scalar(select(Endpoint).where(*mine))
    return found


async def lock(session: WriteSession, tenant_id: UUID, endpoint_id: UUID) -> Endpoint | None:
    """Return the same, locked until the commit."""
    mine = (Endpoint.id == endpoint_id, Endpoint.tenant_id == tenant_id, not_deleted(Endpoint))
    statement = select(Endpoint).where(*mine).with_for_update().execution_options(populate_existing=True)
    found: Endpoint | None = await session.scalar(statement)
    return found
