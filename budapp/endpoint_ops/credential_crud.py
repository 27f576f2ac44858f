"""Which deployments are called with a provider's credential."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, func, literal_column, select

from budapp.commons.database import ReadSession, WriteSession, not_deleted
from budapp.endpoint_ops.models import Endpoint, EndpointStatus
from budapp.model_ops.models import Model
from budapp.project_ops.models import Project

_DELETING: ColumnElement[str] = literal_column(f"'{EndpointStatus.DELETING}'")
_RUNNING: ColumnElement[str] = literal_column(f"'{EndpointStatus.RUNNING}'")


def count_of_credential(credential_id: Any) -> ColumnElement[int]:
    """Return the expression that counts the running endpoints of a credential."""
    running = (Endpoint.credential_id == credential_id, Endpoint.status == _RUNNING)
    return select(func.count()).select_from(Endpoint).where(*running).scalar_subquery()


async def of_credential(session: ReadSession, tenant_id: UUID, credential_id: UUID) -> Sequence[Row[Any]]:
    """Return the endpoints that are called with the credential, each with its `Project` and `Model`."""
    statement = (
        select(Endpoint.id, Endpoint.name, Endpoint.status, Endpoint.created_at, Project, Model)
        .join(Project, Project.id == Endpoint.project_id)
        .join(Model, Model.id == Endpoint.model_id)
        .where(Endpoint.tenant_id == tenant_id, Endpoint.credential_id == credential_id)
        .where(not_deleted(Endpoint), Endpoint.status != _DELETING)
        .order_by(Endpoint.created_at.desc(), Endpoint.id.desc())
    )
    rows: Sequence[Any] = (await session.execute(statement)).all()
    return rows


async def lock_with_source(session: WriteSession, tenant_id: UUID, endpoint_id: UUID) -> Row[Any] | None:
    """Return the `Endpoint`, locked, and the `source` of its model."""
    statement = (
        select(Endpoint, Model.source)
        .join(Model, Model.id == Endpoint.model_id)
        .where(Endpoint.tenant_id == tenant_id, Endpoint.id == endpoint_id, not_deleted(Endpoint))
        .with_for_update(of=Endpoint)
        .execution_options(populate_existing=True)
    )
    result: Any = await session.execute(statement)
    found: Row[Any] | None = result.first()
    return found
