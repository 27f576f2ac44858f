from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, and_, exists, func, or_, select

from budapp.commons.crud import Page, fetch_page
from budapp.commons.database import ReadSession
from budapp.commons.json_columns import objects, or_empty
from budapp.commons.paging import contains
from budapp.evaluation_ops.models import EvalDataset, EvalDatasetVersion, EvalTrait, EvalTraitDataset
from budapp.evaluation_ops.schemas import DatasetQuery, TraitQuery

_TRAIT = {name: getattr(EvalTrait, name) for name in ("id", "name", "description", "icon", "category", "position")}
_DATASET = (
    *("id", "name", "description", "meta_links", "config_validation_schema", "estimated_input_tokens"),
    *("estimated_output_tokens", "language", "domains", "concepts", "humans_vs_llm_qualifications", "task_type"),
    *("modalities", "sample_questions_answers", "advantages_disadvantages", "eval_types", "why_run_this_eval"),
    *("what_to_expect", "additional_info", "metrics", "evaluator", "is_proportion", "created_at"),
)
SORTABLE = {name: getattr(EvalDataset, name) for name in ("id", "name", "created_at")}
CURRENT = and_(EvalDatasetVersion.dataset_id == EvalDataset.id, EvalDatasetVersion.is_current)
"""Joins a dataset's current version."""


def _traits() -> Any:
    fields = {name: getattr(EvalTrait, name) for name in ("id", "name", "description", "icon")}
    of_dataset = (EvalTraitDataset.trait_id == EvalTrait.id, EvalTraitDataset.dataset_id == EvalDataset.id)
    listed = select(objects(fields)).select_from(EvalTraitDataset).join(EvalTrait, of_dataset[0]).where(of_dataset[1])
    return or_empty(listed, EvalDataset)


def _dataset_columns() -> list[Any]:
    version = [EvalDatasetVersion.version, EvalDatasetVersion.sample_count]
    return [*(getattr(EvalDataset, name) for name in _DATASET), *version, _traits().label("traits")]


async def page_of_traits(session: ReadSession, query: TraitQuery) -> Page:
    """Return a page of the traits, in the manifest's order."""
    statement = select(*_TRAIT.values())
    if query.name is not None:
        statement = statement.where(contains(EvalTrait.name, query.name))
    if query.unique_id is not None:
        statement = statement.where(EvalTrait.id == query.unique_id)
    sortable = {name: _TRAIT[name] for name in ("id", "name", "position")}
    return await fetch_page(session, query, statement, sortable, "position")


async def page_of_datasets(session: ReadSession, query: DatasetQuery) -> Page:
    """Return a page of the datasets that there are, by name."""
    statement = select(*_dataset_columns()).outerjoin(EvalDatasetVersion, CURRENT).where(*_wanted(query))
    return await fetch_page(session, query, statement, SORTABLE, "name")


async def dataset(session: ReadSession, dataset_id: UUID) -> Row[Any] | None:
    """Return a dataset as the list has it; one that the manifest no longer names, too."""
    statement = select(*_dataset_columns()).outerjoin(EvalDatasetVersion, CURRENT).where(EvalDataset.id == dataset_id)
    return (await session.execute(statement)).first()


async def traits_of_ids(session: ReadSession, ids: Collection[UUID]) -> Sequence[EvalTrait]:
    """Return the traits of these ids, in the manifest's order."""
    statement = select(EvalTrait).where(EvalTrait.id.in_(ids)).order_by(EvalTrait.position)
    return (await session.scalars(statement)).all()


async def runnable(session: ReadSession, ids: Collection[UUID]) -> Sequence[Row[Any]]:
    """Return `EvalDataset`, its current `EvalDatasetVersion` and its `trait_ids`, of what is there of these ids."""
    traits = select(func.array_agg(EvalTraitDataset.trait_id)).where(EvalTraitDataset.dataset_id == EvalDataset.id)
    columns = (EvalDataset, EvalDatasetVersion, traits.correlate(EvalDataset).scalar_subquery().label("trait_ids"))
    statement = select(*columns).join(EvalDatasetVersion, CURRENT)
    active = (EvalDataset.status == "active", EvalDataset.id.in_(ids))
    rows: Sequence[Any] = (await session.execute(statement.where(*active).order_by(EvalDataset.name))).all()
    return rows


def _wanted(query: DatasetQuery) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [EvalDataset.status == "active"]
    if query.name is not None:
        conditions.append(contains(EvalDataset.name, query.name))
    for name in ("modalities", "language", "domains"):
        texts = [text.lower() for text in getattr(query, name)]
        if texts:
            value = func.unnest(getattr(EvalDataset, name)).column_valued("value")
            conditions.append(exists(select(value).where(or_(*(func.lower(value) == text for text in texts)))))
    if query.trait_ids:
        link = (EvalTraitDataset.dataset_id == EvalDataset.id, EvalTraitDataset.trait_id.in_(query.trait_ids))
        conditions.append(exists().where(*link))
    if query.has_gen_eval_type:
        conditions.append(EvalDataset.eval_types["gen"].astext.is_not(None))
    return conditions
