"""The statements that bring the catalog of clouds up to date."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import String, all_, literal_column, or_, select, update
from sqlalchemy.dialects.postgresql import array, insert
from uuid_utils.compat import uuid7

from budapp.commons import advisory_locks
from budapp.commons.database import Base, ReadSession, WriteSession, now
from budapp.provider_ops.models import CloudModel, Provider

_BATCH = 500


async def lock_catalog(session: WriteSession) -> None:
    """Wait for whoever else brings the catalog up to date."""
    await advisory_locks.lock(session, "budapp:cloud-catalog")


async def upsert_all(
    session: WriteSession, table: type[Base], key: str, rows: Sequence[Mapping[str, Any]]
) -> tuple[int, int]:
    """Put rows in, or bring those with the same `key` up to date; return how many were new, and how many changed."""
    added = changed = 0
    for start in range(0, len(rows), _BATCH):
        some = rows[start : start + _BATCH]
        statement = insert(table).values([{"id": uuid7(), **row} for row in some])
        names = [name for name in some[0] if name != key]
        stored, new = table.__table__.c, statement.excluded
        fresh = {name: new[name] for name in names} | {"modified_at": now()}
        differs = or_(*(stored[name].is_distinct_from(new[name]) for name in names))
        upsert = statement.on_conflict_do_update(index_elements=[key], set_=fresh, where=differs)
        is_new: Sequence[bool] = (await session.scalars(upsert.returning(literal_column("xmax = 0")))).all()
        added, changed = added + sum(is_new), changed + len(is_new) - sum(is_new)
    return added, changed


async def provider_ids(session: ReadSession) -> dict[str, UUID]:
    """Return the id of each provider by its type."""
    return {row.type: row.id for row in await session.execute(select(Provider.type, Provider.id))}


async def has_providers(session: ReadSession) -> bool:
    """Tell whether there are any providers."""
    return await session.scalar(select(Provider.id).limit(1)) is not None


async def deactivate_other_providers(session: WriteSession, types: Sequence[str]) -> int:
    """Make the providers of other types inactive; return how many were active."""
    others = update(Provider).where(Provider.is_active, Provider.type.not_in(types))
    return len((await session.scalars(others.values(is_active=False).returning(Provider.id))).all())


async def delete_other_cloud_models(session: WriteSession, uris: Sequence[str]) -> int:
    """Delete the models of clouds with other uris; return how many there were."""
    others = update(CloudModel).where(CloudModel.status == "active", CloudModel.uri != all_(array(uris, type_=String)))
    return len((await session.scalars(others.values(status="deleted").returning(CloudModel.id))).all())
