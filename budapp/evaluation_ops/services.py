"""Traits and datasets by which models are evaluated: the same for all tenants."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from budapp.commons.access import Caller
from budapp.commons.config import Settings
from budapp.commons.crud import Page
from budapp.commons.database import Database, ReadSession
from budapp.commons.errors import BadRequest, NotFound
from budapp.commons.hooks import hooks_of
from budapp.evaluation_ops import crud, hooks
from budapp.evaluation_ops.models import EvalDataset, EvalDatasetVersion, EvalTrait
from budapp.evaluation_ops.schemas import DatasetQuery, TraitQuery
from budapp.evaluation_ops.sync import SyncReport, sync_from
from budapp.integrations.outgoing import Outgoing

GENERATION = "gen"
"""The way of asking that there is: the model generates an answer."""


@dataclass(frozen=True, slots=True)
class Runnable:
    """A dataset that can be run, in its current version; `engine_name` is what the engine calls it."""

    dataset: EvalDataset
    version: EvalDatasetVersion
    trait_ids: frozenset[UUID]

    @property
    def engine_name(self) -> str:
        return str(self.dataset.eval_types[GENERATION])


async def list_traits(session: ReadSession, caller: Caller, query: TraitQuery) -> tuple[Page, dict[UUID, list[UUID]]]:
    """Return a page of the traits, and by trait the caller's experiments that have to do with it."""
    page = await crud.page_of_traits(session, query)
    ids = [row.id for row in page.rows]
    return page, await hooks_of(session).one(hooks.experiments_of_traits)(session, caller, ids) if ids else {}


async def list_datasets(session: ReadSession, query: DatasetQuery) -> Page:
    """Return a page of the datasets, by name."""
    return await crud.page_of_datasets(session, query)


async def get_dataset(session: ReadSession, dataset_id: UUID) -> Row[Any]:
    """Return a dataset, or raise `NotFound`."""
    found = await crud.dataset(session, dataset_id)
    if found is None:
        raise NotFound("Dataset not found")
    return found


async def reach_dataset(session: ReadSession, _caller: Caller, dataset_id: UUID) -> Row[Any]:
    """Return a dataset, which everybody sees, or raise `NotFound`."""
    return await get_dataset(session, dataset_id)


async def find_traits(session: ReadSession, ids: Collection[UUID]) -> Sequence[EvalTrait]:
    """Return those of the traits that there are, in the manifest's order."""
    return await crud.traits_of_ids(session, ids)


async def require_traits(session: ReadSession, ids: Collection[UUID]) -> Sequence[EvalTrait]:
    """Return the traits, or raise `NotFound` where one is not there."""
    found = await crud.traits_of_ids(session, set(ids))
    if len(found) < len(set(ids)):
        raise NotFound("Trait not found; GET /experiments/traits lists them", param="trait_ids")
    return found


async def find_datasets(session: ReadSession, ids: Collection[UUID]) -> list[Runnable]:
    """Return those of the datasets that are there and can be run, by name."""
    rows = await crud.runnable(session, set(ids)) if ids else []
    found = [Runnable(row.EvalDataset, row.EvalDatasetVersion, frozenset(row.trait_ids or ())) for row in rows]
    return [one for one in found if GENERATION in one.dataset.eval_types]


async def require_datasets(
    session: ReadSession, ids: Collection[UUID], trait_ids: Collection[UUID] | None = None
) -> list[Runnable]:
    """Return the datasets, by name.

    Args:
        session: the unit of work.
        ids: the datasets.
        trait_ids: traits of which each dataset must serve one.

    Raises:
        NotFound: one is not there, or can't be run.
        BadRequest: one serves none of the traits; the message names it.
    """
    found = await find_datasets(session, ids)
    if len(found) < len(set(ids)):
        raise NotFound("Dataset not found; GET /experiments/datasets lists those that can be run", param="dataset_ids")
    for one in found:
        if trait_ids is not None and one.trait_ids.isdisjoint(trait_ids):
            raise BadRequest(
                f"The dataset {one.dataset.name} serves none of the chosen traits; choose one that does, or its trait",
                param="dataset_ids",
            )
    return found


@dataclass(frozen=True, slots=True)
class EvaluationData:
    """Brings traits and datasets up to date."""

    database: Database
    outgoing: Outgoing
    settings: Settings

    async def sync(self, source: str | None = None, *, force: bool = False) -> SyncReport:
        """Read the manifest, by default the one of the settings; raises as `sync_from` does."""
        return await sync_from(self.database, self.outgoing, source or self.settings.eval_manifest_url, force=force)
