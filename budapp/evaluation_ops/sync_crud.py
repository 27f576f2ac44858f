"""The statements that bring traits and datasets in line with the manifest."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import delete, literal_column, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from uuid_utils.compat import uuid7

from budapp.commons import advisory_locks
from budapp.commons.database import Base, ReadSession, WriteSession, now
from budapp.evaluation_ops.models import EvalDataset, EvalDatasetVersion, EvalSync, EvalTrait, EvalTraitDataset

_BATCH = 200


async def lock_datasets(session: WriteSession) -> None:
    """Wait for whoever else brings the datasets up to date."""
    await advisory_locks.lock(session, "budapp:evaluation-datasets")


async def is_current(session: ReadSession, digest: str) -> bool:
    """Tell whether the tables were made of the manifest with this digest."""
    same = (EvalSync.digest == digest, EvalSync.status == "completed")
    return await session.scalar(select(EvalSync.id).where(*same)) is not None


async def upsert_all(session: WriteSession, table: type[Base], rows: Sequence[Mapping[str, Any]]) -> tuple[int, int]:
    """Put rows in, or bring those of the same name up to date; return how many were new, and how many changed."""
    added = changed = 0
    for start in range(0, len(rows), _BATCH):
        some = rows[start : start + _BATCH]
        statement = insert(table).values([{"id": uuid7(), **row} for row in some])
        names = [name for name in some[0] if name != "name"]
        stored, new = table.__table__.c, statement.excluded
        fresh = {name: new[name] for name in names} | {"modified_at": now()}
        differs = or_(*(stored[name].is_distinct_from(new[name]) for name in names))
        upsert = statement.on_conflict_do_update(index_elements=["name"], set_=fresh, where=differs)
        is_new: Sequence[bool] = (await session.scalars(upsert.returning(literal_column("xmax = 0")))).all()
        added, changed = added + sum(is_new), changed + len(is_new) - sum(is_new)
    return added, changed


async def delete_other_datasets(session: WriteSession, names: Sequence[str]) -> int:
    """Delete the datasets of other names, by their status: runs are about them; return how many there were."""
    others = update(EvalDataset).where(EvalDataset.status == "active", EvalDataset.name.not_in(names))
    return len((await session.scalars(others.values(status="deleted").returning(EvalDataset.id))).all())


async def delete_other_traits(session: WriteSession, names: Sequence[str]) -> int:
    """Delete the traits of other names; return how many there were."""
    others = delete(EvalTrait).where(EvalTrait.name.not_in(names)).returning(EvalTrait.id)
    return len((await session.scalars(others)).all())


async def set_versions(session: WriteSession, current: Mapping[str, tuple[str, int | None]]) -> None:
    """Make these the current versions of the datasets, by their names; earlier ones stay for the runs about them."""
    ids = await _ids(session, EvalDataset)
    known = {
        (row.dataset_id, row.version): row
        for row in await session.scalars(select(EvalDatasetVersion).with_for_update())
    }
    wanted = {(ids[name], version): count for name, (version, count) in current.items()}
    for key, row in known.items():
        if key not in wanted and row.is_current and any(key[0] == dataset_id for dataset_id, _ in wanted):
            row.is_current = False
    await session.flush()
    for key, count in wanted.items():
        found = known.get(key) or EvalDatasetVersion(dataset_id=key[0], version=key[1])
        found.sample_count, found.is_current = count, True
        session.add(found)
    await session.flush()


async def set_links(session: WriteSession, traits: Mapping[str, Sequence[str]]) -> None:
    """Make these the traits of the datasets, by their names."""
    dataset_ids, trait_ids = await _ids(session, EvalDataset), await _ids(session, EvalTrait)
    wanted = {(trait_ids[trait], dataset_ids[name]) for name, own in traits.items() for trait in own}
    rows = (await session.scalars(select(EvalTraitDataset))).all()
    known = {(row.trait_id, row.dataset_id): row for row in rows}
    for key in known.keys() - wanted:
        await session.delete(known[key])
    session.add_all(EvalTraitDataset(trait_id=trait, dataset_id=dataset) for trait, dataset in wanted - known.keys())
    await session.flush()


async def note(session: WriteSession, **values: Any) -> None:
    """Note what the tables were last made of."""
    row = await session.scalar(select(EvalSync).with_for_update()) or EvalSync()
    for name, value in values.items():
        setattr(row, name, value)
    session.add(row)


async def note_failure(session: WriteSession, source: str, reason: str) -> None:
    """Note that the manifest could not be read; what the tables were made of before stays known."""
    row = await session.scalar(select(EvalSync).with_for_update())
    if row is None:
        row = EvalSync(source=source, version="", digest="")
        session.add(row)
    row.status, row.reason, row.synced_at = "failed", reason, now()


async def _ids(session: ReadSession, table: Any) -> dict[str, Any]:
    return {row.name: row.id for row in await session.execute(select(table.name, table.id))}
