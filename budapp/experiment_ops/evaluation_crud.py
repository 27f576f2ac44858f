"""Evaluations with their runs and scores, a page at a time."""

from collections.abc import AsyncIterator, Collection, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, Subquery, and_, any_, func, literal_column, or_, select

from budapp.commons.access import Caller
from budapp.commons.crud import Page, fetch_page
from budapp.commons.database import ReadSession
from budapp.commons.errors import NotFound
from budapp.commons.json_columns import EMPTY_ARRAY, objects
from budapp.commons.paging import Paging, contains
from budapp.endpoint_ops.models import Endpoint
from budapp.evaluation_ops.models import EvalDataset, EvalDatasetVersion, EvalTrait, EvalTraitDataset
from budapp.experiment_ops.crud import EvaluationCrud
from budapp.experiment_ops.evaluation_schemas import EvaluationQuery
from budapp.experiment_ops.interval_crud import mean_limits, rounded, wilson
from budapp.experiment_ops.models import Evaluation, EvaluationRun, Experiment, RunMetric
from budapp.experiment_ops.schemas import HistoryQuery
from budapp.model_ops.models import Model

_AT_ONCE = 200
_COLUMNS = (
    *("id", "experiment_id", "description", "status", "reason", "endpoint_id", "model_id", "workflow_id", "trait_ids"),
    *("started_at", "duration_in_seconds", "eta_seconds", "created_at"),
)
SORTABLE = {name: getattr(Evaluation, name) for name in ("id", "created_at")}


def _runs(condition: Any) -> Subquery:
    """Return the runs that are not deleted, each with its dataset and the score that it is compared by."""
    samples = func.coalesce(RunMetric.samples, EvalDatasetVersion.sample_count)
    lower, upper = wilson(RunMetric.metric_value, samples, EvalDataset.is_proportion)
    names = ("id", "evaluation_id", "experiment_id", "endpoint_id", "run_index", "status", "reason", "created_at")
    return (
        select(
            *(getattr(EvaluationRun, name) for name in (*names, "ended_at", "started_at", "model_id", "tenant_id")),
            EvalDataset.id.label("dataset_id"),
            EvalDataset.name.label("dataset_name"),
            EvalDataset.description.label("dataset_description"),
            EvalDataset.is_proportion,
            EvalDatasetVersion.version,
            RunMetric.metric_value.label("score"),
            samples.label("samples"),
            lower.label("lower"),
            upper.label("upper"),
        )
        .join(EvalDatasetVersion, EvalDatasetVersion.id == EvaluationRun.dataset_version_id)
        .join(EvalDataset, EvalDataset.id == EvalDatasetVersion.dataset_id)
        .outerjoin(RunMetric, and_(RunMetric.run_id == EvaluationRun.id, RunMetric.position == 0))
        .where(condition, EvaluationRun.status != "deleted")
        .subquery("runs")
    )


def _limits(runs: Subquery) -> list[Any]:
    scored = runs.c.score.is_not(None) & runs.c.is_proportion
    values = mean_limits(runs.c.score, runs.c.lower, runs.c.upper, scored)
    return [rounded(value).label(name) for value, name in zip(values, ("score", "lower", "upper"), strict=True)]


class EvaluationViewCrud:
    """The evaluations in the caller's reach."""

    def __init__(self, session: ReadSession, caller: Caller) -> None:
        self.session = session
        self.caller = caller

    def _listed(self, *conditions: Any) -> Select[Any]:
        names = [getattr(Evaluation, name) for name in _COLUMNS]
        about = (
            Evaluation.name.label("evaluation_name"),
            Evaluation.modified_at.label("updated_at"),
            Experiment.name.label("experiment_name"),
            Endpoint.name.label("deployment_name"),
            Model.name.label("model_name"),
        )
        of_model = and_(Model.id == Evaluation.model_id, Model.tenant_id == Evaluation.tenant_id)
        return (
            EvaluationCrud(self.session, self.caller)
            .visible(*names, *about)
            .join(Experiment, and_(Experiment.id == Evaluation.experiment_id, Experiment.status != "deleted"))
            .outerjoin(Endpoint, Endpoint.id == Evaluation.endpoint_id)
            .outerjoin(Model, of_model)
            .where(*conditions)
        )

    async def page(self, query: EvaluationQuery) -> Page:
        """Return a page of evaluations, the newest first."""
        paging = Paging(page=query.page, limit=query.page_size)
        return await fetch_page(self.session, paging, self._listed(*_wanted(query)), SORTABLE)

    async def all(self, query: EvaluationQuery) -> AsyncIterator[Sequence[Row[Any]]]:
        """Yield all evaluations that are asked for, in pages, the oldest first."""
        last: UUID | None = None
        while True:
            statement = self._listed(*_wanted(query)).order_by(Evaluation.id).limit(_AT_ONCE)
            if last is not None:
                statement = statement.where(Evaluation.id > last)
            rows: Sequence[Any] = (await self.session.execute(statement)).all()
            if rows:
                yield rows
                last = rows[-1].id
            if len(rows) < _AT_ONCE:
                return

    async def of_experiment(self, experiment_id: UUID) -> Sequence[Row[Any]]:
        """Return the evaluations of an experiment that is in reach, the newest first."""
        statement = self._listed(Evaluation.experiment_id == experiment_id)
        ordered = statement.order_by(Evaluation.created_at.desc(), Evaluation.id.desc()).limit(10_000)
        rows: Sequence[Any] = (await self.session.execute(ordered)).all()
        return rows

    async def one(self, evaluation_id: UUID) -> Row[Any]:
        """Return one evaluation, or raise `NotFound`."""
        row: Row[Any] | None = (await self.session.execute(self._listed(Evaluation.id == evaluation_id))).first()
        if row is None:
            raise NotFound("Evaluation not found")
        return row

    async def runs(self, evaluation_ids: Collection[UUID]) -> Sequence[Row[Any]]:
        """Return the runs of evaluations that are in reach, with the names of their datasets' traits."""
        runs = _runs(EvaluationRun.evaluation_id.in_(evaluation_ids))
        return await self._with_traits(runs)

    async def runs_of_experiment(self, experiment_id: UUID) -> Sequence[Row[Any]]:
        """Return the runs of an experiment that is in reach, those without an evaluation too."""
        return await self._with_traits(_runs(EvaluationRun.experiment_id == experiment_id))

    async def _with_traits(self, runs: Subquery) -> Sequence[Row[Any]]:
        names = (
            select(func.array_agg(EvalTrait.name))
            .join(EvalTraitDataset, EvalTraitDataset.trait_id == EvalTrait.id)
            .where(EvalTraitDataset.dataset_id == runs.c.dataset_id)
            .correlate(runs)
            .scalar_subquery()
        )
        of_model = and_(Model.id == runs.c.model_id, Model.tenant_id == runs.c.tenant_id)
        about = (Model.name.label("model_name"), Endpoint.name.label("deployment_name"), names.label("traits"))
        statement = (
            select(runs, *about)
            .outerjoin(Model, of_model)
            .outerjoin(Endpoint, Endpoint.id == runs.c.endpoint_id)
            .where(runs.c.tenant_id == self.caller.tenant_id)
            .order_by(runs.c.run_index)
        )
        rows: Sequence[Any] = (await self.session.execute(statement)).all()
        return rows

    async def means(self, evaluation_ids: Collection[UUID]) -> Sequence[Row[Any]]:
        """Return the mean of each evaluation, with `trait_id` null, and of each of its traits, with their limits.

        The traits come with their datasets in the evaluation, whether there is a score or not.
        """
        mine = and_(EvaluationRun.evaluation_id.in_(evaluation_ids), EvaluationRun.tenant_id == self.caller.tenant_id)
        runs = _runs(mine)
        nothing: list[Any] = [
            literal_column("null::uuid").label("trait_id"),
            literal_column("null::varchar").label("trait_name"),
            literal_column("null::varchar").label("icon"),
        ]
        overall = select(runs.c.evaluation_id, *nothing, *_limits(runs), EMPTY_ARRAY.label("datasets"))
        within = _runs(mine)
        fields = {
            "id": within.c.dataset_id,
            "name": within.c.dataset_name,
            "version": within.c.version,
            "description": within.c.dataset_description,
        }
        datasets = objects(fields)
        of_traits = (
            select(within.c.evaluation_id, EvalTrait.id, EvalTrait.name, EvalTrait.icon, *_limits(within), datasets)
            .join(Evaluation, Evaluation.id == within.c.evaluation_id)
            .join(EvalTraitDataset, EvalTraitDataset.dataset_id == within.c.dataset_id)
            .join(
                EvalTrait, and_(EvalTrait.id == EvalTraitDataset.trait_id, EvalTrait.id == any_(Evaluation.trait_ids))
            )
            .group_by(within.c.evaluation_id, EvalTrait.id)
        )
        labels = ("evaluation_id", "trait_id", "trait_name", "icon", "score", "lower", "upper", "datasets")
        both = overall.group_by(runs.c.evaluation_id).union_all(of_traits).subquery("means")
        named = [column.label(label) for column, label in zip(both.c, labels, strict=True)]
        rows: Sequence[Any] = (await self.session.execute(select(*named).order_by(both.c[0]))).all()
        return rows

    async def history(self, experiment_id: UUID, query: HistoryQuery) -> tuple[int, Sequence[Row[Any]]]:
        """Return how many runs an experiment that is in reach has, and a page of them."""
        runs = _runs(
            and_(EvaluationRun.experiment_id == experiment_id, EvaluationRun.tenant_id == self.caller.tenant_id)
        )
        of_model = and_(Model.id == runs.c.model_id, Model.tenant_id == runs.c.tenant_id)
        begun = func.coalesce(runs.c.started_at, runs.c.created_at).label("started_at")
        seconds = func.coalesce(func.extract("epoch", runs.c.ended_at - runs.c.started_at), 0).label("duration_seconds")
        columns = {
            "started_at": begun,
            "status": runs.c.status.label("status"),
            "model": Model.name.label("model"),
            "duration_seconds": seconds,
        }
        more = (runs.c.id.label("run_id"), Endpoint.name.label("deployment_name"), runs.c.dataset_name, runs.c.score)
        statement = select(*columns.values(), *more, func.count().over().label("total")).outerjoin(Model, of_model)
        order: Any = columns[query.sort_field].element
        ordered = statement.outerjoin(Endpoint, Endpoint.id == runs.c.endpoint_id).order_by(
            order.asc() if query.sort_direction == "asc" else order.desc(), runs.c.id
        )
        page = ordered.limit(query.page_size).offset((query.page - 1) * query.page_size)
        rows: Sequence[Any] = (await self.session.execute(page)).all()
        if rows or query.page == 1:
            return (rows[0].total if rows else 0), rows
        return int(await self.session.scalar(select(func.count()).select_from(runs)) or 0), rows


def _wanted(query: EvaluationQuery) -> list[Any]:
    found: list[Any] = []
    for ids, column in ((query.endpoint_id, Evaluation.endpoint_id), (query.model_id, Evaluation.model_id)):
        if ids is not None:
            found.append(column == ids)
    if query.search is not None:
        texts = [contains(Evaluation.name, query.search)]
        if query.searchName:
            texts.append(contains(Experiment.name, query.search))
        found.append(or_(*texts))
    return found
