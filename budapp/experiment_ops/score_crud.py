"""Scores of runs, put together by PostgreSQL: means, ranks and how certain they are."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Float, Row, Subquery, and_, case, cast, func, literal_column, null, select
from sqlalchemy.dialects.postgresql import JSONB

from budapp.commons.access import Caller
from budapp.commons.crud import Page, fetch_page
from budapp.commons.database import ReadSession
from budapp.commons.paging import Paging
from budapp.endpoint_ops.models import Endpoint
from budapp.evaluation_ops.models import EvalDataset, EvalDatasetVersion, EvalTrait, EvalTraitDataset
from budapp.experiment_ops.crud import reached
from budapp.experiment_ops.interval_crud import difference_limits, mean_limits, rounded, wilson
from budapp.experiment_ops.models import EvaluationRun, RunMetric, RunStatus
from budapp.experiment_ops.score_schemas import ComparisonQuery
from budapp.model_ops.models import Model
from budapp.provider_ops.models import Provider


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which runs count: all of a kind where none are named."""

    endpoint_ids: Collection[UUID] = ()
    model_ids: Collection[UUID] = ()
    dataset_ids: Collection[UUID] = ()
    trait_ids: Collection[UUID] = ()
    start: datetime | None = None
    end: datetime | None = None

    @classmethod
    def of(cls, query: ComparisonQuery) -> "Wanted":
        """Return what a comparison asks for."""
        about = {"dataset_ids": query.dataset_ids, "trait_ids": query.trait_ids}
        return cls(query.deployment_ids, start=query.start_date, end=query.end_date, **about)

    def conditions(self) -> list[ColumnElement[bool]]:
        """Return them for a select of runs with the versions of their datasets."""
        columns = (
            (self.endpoint_ids, EvaluationRun.endpoint_id),
            (self.model_ids, EvaluationRun.model_id),
            (self.dataset_ids, EvalDatasetVersion.dataset_id),
        )
        found: list[ColumnElement[bool]] = [column.in_(ids) for ids, column in columns if ids]
        if self.trait_ids:
            serving = select(EvalTraitDataset.dataset_id).where(EvalTraitDataset.trait_id.in_(self.trait_ids))
            found.append(EvalDatasetVersion.dataset_id.in_(serving))
        if self.start is not None:
            found.append(EvaluationRun.created_at >= self.start)
        if self.end is not None:
            found.append(EvaluationRun.created_at <= self.end)
        return found


class ScoreCrud:
    """The scores of completed runs that the caller may see: of own experiments, and of deployments in reach."""

    def __init__(self, session: ReadSession, caller: Caller) -> None:
        self.session = session
        self.caller = caller

    async def page_of_ranks(self, paging: Paging, dataset_ids: Collection[UUID], only: Wanted) -> Page:
        """Return a page of `CrossScore` columns, by dataset and rank; `only` leaves others out that still count."""
        cells = self._ranked(self._cells(Wanted(dataset_ids=dataset_ids)))
        found = select(cells, *_about_model(cells)).join(Model, self._model_of(cells))
        found = found.outerjoin(Endpoint, Endpoint.id == cells.c.endpoint_id)
        found = found.outerjoin(Provider, Provider.id == Model.provider_id)
        for ids, name in ((only.endpoint_ids, "endpoint_id"), (only.model_ids, "model_id")):
            if ids:
                found = found.where(cells.c[name].in_(ids))
        sortable = {"dataset_name": cells.c.dataset_name, "rank": cells.c.rank, "id": cells.c.id}
        return await fetch_page(self.session, paging, found, sortable, "dataset_name,rank")

    async def cells(self, wanted: Wanted) -> Sequence[Row[Any]]:
        """Return each dataset with each deployment: score, its limits, and what they are called."""
        cells = self._cells(wanted)
        columns = (Model.name.label("model_name"), Endpoint.name.label("endpoint_name"))
        found = select(cells, *columns).join(Model, self._model_of(cells))
        found = found.outerjoin(Endpoint, Endpoint.id == cells.c.endpoint_id)
        rows: Sequence[Any] = (
            await self.session.execute(found.order_by(cells.c.dataset_name, Endpoint.name, cells.c.endpoint_id))
        ).all()
        return rows

    async def traits(self, wanted: Wanted) -> Sequence[Row[Any]]:
        """Return each trait with each deployment: the mean over its datasets, with its limits."""
        cells = self._cells(wanted)
        mean, lower, upper = mean_limits(cells.c.score, cells.c.lower, cells.c.upper)
        limits = (rounded(mean).label("score"), rounded(lower).label("lower"), rounded(upper).label("upper"))
        counts = (
            func.count().label("dataset_count"),
            func.sum(cells.c.run_count).label("run_count"),
            case((func.count(cells.c.samples) == func.count(), func.sum(cells.c.samples))).label("samples"),
        )
        about = (EvalTrait.id.label("trait_id"), EvalTrait.name.label("trait_name"), EvalTrait.icon, EvalTrait.position)
        names = (Model.name.label("model_name"), Endpoint.name.label("endpoint_name"))
        statement = (
            select(cells.c.endpoint_id, *names, *about, *limits, *counts)
            .join(EvalTraitDataset, EvalTraitDataset.dataset_id == cells.c.dataset_id)
            .join(EvalTrait, EvalTrait.id == EvalTraitDataset.trait_id)
            .join(Model, self._model_of(cells))
            .outerjoin(Endpoint, Endpoint.id == cells.c.endpoint_id)
            .where(cells.c.is_proportion)
            .group_by(cells.c.endpoint_id, Model.name, Endpoint.name, EvalTrait.id)
            .order_by(EvalTrait.position, Endpoint.name, cells.c.endpoint_id)
        )
        if wanted.trait_ids:
            statement = statement.where(EvalTrait.id.in_(wanted.trait_ids))
        rows: Sequence[Any] = (await self.session.execute(statement)).all()
        return rows

    async def overall(self, wanted: Wanted) -> Row[Any] | None:
        """Return the mean over all cells that are shares, with its limits, and when the last run was."""
        cells = self._cells(wanted)
        mean, lower, upper = mean_limits(cells.c.score, cells.c.lower, cells.c.upper)
        limits = (rounded(mean).label("score"), rounded(lower).label("lower"), rounded(upper).label("upper"))
        last = func.max(cells.c.created_at).label("created_at")
        statement = select(*limits, last, func.sum(cells.c.run_count).label("run_count")).where(cells.c.is_proportion)
        row: Any = (await self.session.execute(statement)).one()
        found: Row[Any] | None = row if row.run_count else None
        return found

    async def page_of_deployments(self, paging: Paging) -> Page:
        """Return a page of the deployments that have a score, with how often they were evaluated."""
        scored = self._scored(Wanted())
        counts = (
            func.count(scored.c.experiment_id.distinct()).label("experiment_count"),
            func.count().label("run_count"),
        )
        about = (Endpoint.name.label("endpoint_name"), Model.name.label("model_name"), Model.icon.label("model_icon"))
        found = (
            select(scored.c.endpoint_id.label("id"), scored.c.model_id, *about, *counts)
            .join(Model, self._model_of(scored))
            .outerjoin(Endpoint, Endpoint.id == scored.c.endpoint_id)
            .group_by(scored.c.endpoint_id, scored.c.model_id, Endpoint.name, Model.name, Model.icon)
            .subquery()
        )
        sortable = {name: found.c[name] for name in ("endpoint_name", "model_name", "id")}
        return await fetch_page(self.session, paging, select(found), sortable, "endpoint_name,model_name")

    async def counted_traits(self, wanted: Wanted) -> Sequence[Row[Any]]:
        """Return the traits that there are scores for, with the number of their datasets and runs."""
        scored = self._scored(wanted)
        counts = (
            func.count(scored.c.dataset_id.distinct()).label("dataset_count"),
            func.count().label("run_count"),
        )
        columns = (EvalTrait.id, EvalTrait.name, EvalTrait.icon, EvalTrait.description)
        statement = (
            select(*columns, *counts)
            .join(EvalTraitDataset, EvalTraitDataset.trait_id == EvalTrait.id)
            .join(scored, scored.c.dataset_id == EvalTraitDataset.dataset_id)
            .group_by(EvalTrait.id)
            .order_by(EvalTrait.position)
        )
        rows: Sequence[Any] = (await self.session.execute(statement)).all()
        return rows

    def _scored(self, wanted: Wanted) -> Subquery:
        """Return the runs that have a score, each with the one that it is compared by."""
        samples = func.coalesce(RunMetric.samples, EvalDatasetVersion.sample_count).label("samples")
        names = ("id", "experiment_id", "endpoint_id", "model_id", "tenant_id", "created_at")
        return (
            select(
                *(getattr(EvaluationRun, name) for name in names),
                EvalDataset.id.label("dataset_id"),
                EvalDataset.name.label("dataset_name"),
                EvalDataset.is_proportion,
                RunMetric.metric_name,
                RunMetric.metric_value.label("value"),
                samples,
            )
            .join(RunMetric, and_(RunMetric.run_id == EvaluationRun.id, RunMetric.position == 0))
            .join(EvalDatasetVersion, EvalDatasetVersion.id == EvaluationRun.dataset_version_id)
            .join(EvalDataset, EvalDataset.id == EvalDatasetVersion.dataset_id)
            .where(
                EvaluationRun.tenant_id == self.caller.tenant_id,
                RunMetric.tenant_id == self.caller.tenant_id,
                EvaluationRun.status == RunStatus.COMPLETED,
                reached(self.session, self.caller, EvaluationRun),
                *wanted.conditions(),
            )
            .subquery("scored")
        )

    def _cells(self, wanted: Wanted) -> Subquery:
        """Return each dataset with each deployment: the mean of its runs, and the limits of that."""
        scored = self._scored(wanted)
        known = case((func.count(scored.c.samples) == func.count(), func.min(scored.c.samples)), else_=null())
        keys = ("tenant_id", "endpoint_id", "model_id", "dataset_id", "dataset_name", "is_proportion", "metric_name")
        grouped = (
            select(
                *(scored.c[name] for name in keys),
                rounded(func.avg(scored.c.value)).label("score"),
                func.count().label("run_count"),
                known.label("samples"),
                func.max(scored.c.created_at).label("created_at"),
                literal_column("max(scored.id::text)::uuid").label("id"),
            )
            .group_by(*(scored.c[name] for name in keys))
            .subquery("grouped")
        )
        lower, upper = wilson(grouped.c.score, grouped.c.samples, grouped.c.is_proportion)
        return select(grouped, lower.label("lower"), upper.label("upper")).subquery("cells")

    def _ranked(self, cells: Subquery) -> Subquery:
        """Return the cells with their rank in the dataset, and how far they are behind the best one there."""
        order: dict[str, Any] = {
            "partition_by": (cells.c.dataset_id, cells.c.metric_name),
            "order_by": cells.c.score.desc(),
        }
        score = cast(cells.c.score, Float)
        best = tuple(func.first_value(one).over(**order) for one in (score, cells.c.lower, cells.c.upper))
        behind, least, most = difference_limits(best, (score, cells.c.lower, cells.c.upper))  # type: ignore[arg-type]
        rank = func.rank().over(**order).label("rank")
        return select(
            cells,
            rank,
            rounded(behind).label("behind"),
            rounded(least).label("behind_lower"),
            rounded(most).label("behind_upper"),
        ).subquery("ranked")

    def _model_of(self, cells: Subquery) -> ColumnElement[bool]:
        return and_(Model.id == cells.c.model_id, Model.tenant_id == cells.c.tenant_id)


def _about_model(cells: Subquery) -> list[Any]:
    named = func.jsonb_build_array(
        func.jsonb_build_object(
            literal_column("'metric_name'"),
            cells.c.metric_name,
            literal_column("'metric_value'"),
            cells.c.score,
            type_=JSONB,
        ),
        type_=JSONB,
    )
    return [
        Model.name.label("model_name"),
        Model.icon.label("model_icon"),
        Provider.icon.label("provider_icon"),
        Endpoint.name.label("endpoint_name"),
        named.label("metrics"),
    ]
