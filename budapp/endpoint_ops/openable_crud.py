"""Which deployments an API key can be limited to."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, or_, select

from budapp.commons.database import ReadSession, not_deleted
from budapp.endpoint_ops.models import Endpoint
from budapp.project_ops.models import Project, ProjectType


async def openable(session: ReadSession, project: Project) -> Sequence[Row[Any]]:
    """Return id and model_id of the project's endpoints, and for customers of those that are published."""
    where: ColumnElement[bool] = Endpoint.project_id == project.id
    if project.project_type == ProjectType.CLIENT_APP:
        where = or_(where, and_(Endpoint.tenant_id == project.tenant_id, Endpoint.is_published))
    statement = select(Endpoint.id, Endpoint.model_id).where(where, not_deleted(Endpoint))
    rows: Sequence[Any] = (await session.execute(statement)).all()
    return rows
