"""Brings the tables of traits and datasets in line with the manifest. A manifest with a mistake changes nothing."""

from typing import Any

from pydantic import BaseModel

from budapp.commons.database import Database, WriteSession, now
from budapp.commons.errors import AppError
from budapp.commons.logging import get_logger
from budapp.evaluation_ops import sync_crud as crud
from budapp.evaluation_ops.manifest import Found, ManifestDataset, names_of, read_manifest
from budapp.evaluation_ops.models import EvalDataset, EvalTrait
from budapp.integrations.outgoing import Outgoing

logger = get_logger(__name__)

_NOT_COLUMNS = {"version", "sample_count", "traits"}


class SyncReport(BaseModel):
    """What has changed; `unchanged` is whether nothing had to be looked at, as the manifest is the same."""

    version: str
    unchanged: bool = False
    traits_added: int = 0
    traits_changed: int = 0
    traits_removed: int = 0
    datasets_added: int = 0
    datasets_changed: int = 0
    datasets_removed: int = 0


async def sync(session: WriteSession, found: Found, *, force: bool = False) -> SyncReport:
    """Make the tables say what the manifest says. Two at once come one after the other.

    Args:
        session: the unit of work.
        found: the manifest.
        force: whether the tables are gone through even where the manifest is the one of the last time.
    """
    await crud.lock_datasets(session)
    manifest = found.manifest
    report = SyncReport(version=manifest.version)
    if not force and await crud.is_current(session, found.digest):
        report.unchanged = True
        return report
    traits = [{**trait.model_dump(), "position": place} for place, trait in enumerate(manifest.traits)]
    report.traits_added, report.traits_changed = await crud.upsert_all(session, EvalTrait, traits)
    datasets = [_row(dataset) for dataset in manifest.datasets]
    report.datasets_added, report.datasets_changed = await crud.upsert_all(session, EvalDataset, datasets)
    report.datasets_removed = await crud.delete_other_datasets(session, names_of(manifest.datasets))
    report.traits_removed = await crud.delete_other_traits(session, names_of(manifest.traits))
    await crud.set_versions(session, {one.name: (one.version, one.sample_count) for one in manifest.datasets})
    await crud.set_links(session, {one.name: one.traits for one in manifest.datasets})
    about = {"source": found.source, "version": manifest.version, "digest": found.digest}
    await crud.note(session, **about, status="completed", reason=None, synced_at=now())
    return report


async def sync_from(database: Database, outgoing: Outgoing, source: str | None, *, force: bool = False) -> SyncReport:
    """Read the manifest, and make the tables say what it says; what goes wrong is noted beside the tables.

    Raises:
        BadRequest, PeerFailed, Unavailable: see `read_manifest`.
    """
    try:
        found = await read_manifest(source, outgoing)
    except AppError as error:
        async with database.write() as session:
            await crud.lock_datasets(session)
            await crud.note_failure(session, source or "", error.text[:1000])
        raise
    async with database.write() as session:
        report = await sync(session, found, force=force)
    logger.info("evaluations_synced", **report.model_dump())
    return report


def _row(dataset: ManifestDataset) -> dict[str, Any]:
    return {**dataset.model_dump(exclude=_NOT_COLUMNS), "status": "active"}
