from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, or_, select, update

from budapp.api_key_ops.models import Credential
from budapp.commons.database import ReadSession, WriteSession, among

_HAS_BUDGETS = or_(Credential.max_budget.is_not(None), Credential.model_budgets.is_not(None))


async def with_budgets(session: ReadSession) -> Sequence[Row[Any]]:
    """Return each `Credential` that has budgets and opens deployments."""
    statement = select(Credential).where(_HAS_BUDGETS, Credential.project_id.is_not(None))
    rows: Sequence[Any] = (await session.execute(statement)).all()
    return rows


async def locked(session: WriteSession, key_ids: Collection[UUID]) -> Sequence[Credential]:
    """Return those of the keys that still have budgets, locked in a fixed order."""
    statement = select(Credential).where(among(Credential.id, key_ids), _HAS_BUDGETS)
    return (await session.scalars(statement.order_by(Credential.id).with_for_update())).all()


async def store(
    session: WriteSession, key_id: UUID, spent: Mapping[str, str], counted: Mapping[str, Sequence[int]]
) -> None:
    """Write down what a key has spent, past the ORM: the audit trail does not have to know."""
    table: Any = Credential.__table__
    values = {"spent": dict(spent), "counted_tokens": dict(counted)}
    await session.execute(update(table).where(table.c.id == key_id).values(**values))
