from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Row,
    Text,
    and_,
    any_,
    case,
    exists,
    func,
    literal_column,
    or_,
    select,
)

from budapp.cluster_ops.models import Cluster
from budapp.commons.access import Caller
from budapp.commons.crud import Crud, Page
from budapp.commons.database import ReadSession, WriteSession, not_deleted
from budapp.commons.errors import NotFound
from budapp.commons.json_columns import objects, or_empty
from budapp.commons.paging import Paging, contains, equal
from budapp.commons.scopes import Scope
from budapp.endpoint_ops.models import Endpoint
from budapp.evaluation_ops.models import EvalDataset, EvalTrait, EvalTraitDataset
from budapp.experiment_ops.models import EvalTag, Evaluation, EvaluationRun, Experiment, RunMetric, RunStatus
from budapp.experiment_ops.schemas import ExperimentQuery, ModelQuery
from budapp.model_ops.models import Model
from budapp.project_ops.services import projects_holding, projects_in_reach

_LIVE_RUN = and_(EvaluationRun.experiment_id == Experiment.id, EvaluationRun.status != "deleted")
_MOST_CHOICES = 1_000


def _tags() -> Any:
    names = ("id", "name", "description", "created_at", "modified_at")
    listed = select(objects({name: getattr(EvalTag, name) for name in names}))
    return or_empty(listed.where(EvalTag.id == any_(Experiment.tag_ids)), Experiment)


def _tag_names() -> Any:
    names = select(func.array_agg(EvalTag.name)).where(EvalTag.id == any_(Experiment.tag_ids))
    return func.coalesce(names.correlate(Experiment).scalar_subquery(), literal_column("array[]::varchar[]"))


def _models() -> Any:
    fields = {"id": Model.id, "name": Model.name, "deployment_name": Endpoint.name}
    listed = (
        select(objects(fields, distinct=True))
        .select_from(EvaluationRun)
        .join(Model, and_(Model.id == EvaluationRun.model_id, Model.tenant_id == EvaluationRun.tenant_id))
        .outerjoin(Endpoint, Endpoint.id == EvaluationRun.endpoint_id)
    )
    return or_empty(listed.where(_LIVE_RUN), Experiment)


def _traits() -> Any:
    fields = {"id": EvalTrait.id, "name": EvalTrait.name, "icon": EvalTrait.icon}
    listed = select(objects(fields, distinct=True)).select_from(Evaluation)
    joined = listed.join(EvalTrait, EvalTrait.id == any_(Evaluation.trait_ids))
    return or_empty(joined.where(Evaluation.experiment_id == Experiment.id), Experiment)


def _status() -> Any:
    running = exists().where(_LIVE_RUN, EvaluationRun.status == RunStatus.RUNNING)
    return case((running, "running"), (~exists().where(_LIVE_RUN), "no_runs"), else_="completed")


SORTABLE = {
    **{name: getattr(Experiment, name) for name in ("id", "name", "created_at")},
    "updated_at": Experiment.modified_at,
}


class ExperimentCrud(Crud[Experiment]):
    """The caller's experiments, those in projects in reach, and for who manages users all of the tenant."""

    model = Experiment

    def reach(self) -> list[Any]:
        """Add whose experiment it is."""
        if self.caller.may(Scope.USER_MANAGE):
            return super().reach()
        shared = Experiment.project_id.in_(projects_in_reach(self.session, self.caller))
        return [*super().reach(), or_(Experiment.created_by == self.caller.user_id, shared)]

    def _columns(self) -> list[Any]:
        own = (*("id", "name", "description", "project_id", "tag_ids", "created_by", "created_at"),)
        return [
            *(getattr(Experiment, name) for name in own),
            Experiment.modified_at.label("updated_at"),
            _tag_names().label("tags"),
            _tags().label("tag_objects"),
            _status().label("status"),
            _models().label("models"),
            _traits().label("traits"),
        ]

    async def page_of_experiments(self, query: ExperimentQuery) -> Page:
        """Return a page of `ExperimentView` columns."""
        # The text has become a condition here: `Paging.search` only says how others are read.
        found = self.visible(*self._columns()).where(*_wanted(query))
        paging = Paging(page=query.page, limit=query.limit, order_by=query.order_by, cursor=query.cursor)
        return await self.page(paging, found, SORTABLE)

    async def view(self, experiment_id: UUID) -> Row[Any]:
        """Return the columns of an `ExperimentView`, or raise `NotFound`."""
        statement = self.visible(*self._columns()).where(Experiment.id == experiment_id)
        row: Row[Any] | None = (await self.session.execute(statement)).first()
        if row is None:
            raise NotFound("Experiment not found")
        return row

    async def page_of_models(self, query: ModelQuery) -> Page:
        """Return a page of the deployments that were evaluated, with how many experiments have to do with each."""
        counted = func.count(EvaluationRun.experiment_id.distinct()).label("experiment_count")
        columns = (EvaluationRun.endpoint_id, EvaluationRun.model_id, Model.name, Endpoint.name, counted)
        found = (
            self.visible(
                Model.id.label("id"), Model.name.label("name"), Endpoint.name.label("deployment_name"), counted
            )
            .join(EvaluationRun, _LIVE_RUN)
            .join(Model, and_(Model.id == EvaluationRun.model_id, Model.tenant_id == EvaluationRun.tenant_id))
            .outerjoin(Endpoint, Endpoint.id == EvaluationRun.endpoint_id)
            .where(*equal(query, project_id=Experiment.project_id))
            .group_by(Model.id, *columns[:-1])
            .subquery()
        )
        sortable = {name: found.c[name] for name in ("name", "deployment_name", "id")}
        return await self.page(query, select(found), sortable, "name,deployment_name")

    async def of_traits(self, trait_ids: Collection[UUID]) -> dict[UUID, list[UUID]]:
        """Return the experiments that have evaluated each of the traits."""
        mine = self.visible(Experiment.id)
        statement = (
            select(Evaluation.experiment_id, EvalTrait.id)
            .join(EvalTrait, EvalTrait.id == any_(Evaluation.trait_ids))
            .where(Evaluation.experiment_id.in_(mine), EvalTrait.id.in_(trait_ids))
            .distinct()
        )
        rows = await self.session.execute(statement)
        found: dict[UUID, list[UUID]] = {}
        for experiment_id, trait_id in rows:
            found.setdefault(trait_id, []).append(experiment_id)
        return {trait_id: sorted(found.get(trait_id, [])) for trait_id in trait_ids}

    async def summary(self, experiment_id: UUID) -> Row[Any]:
        """Return how many evaluations of the experiment there are, by their status, and what they have taken."""
        named = ("completed", "failed", "pending", "running", "cancelled")
        counts = [func.count().filter(Evaluation.status == one).label(f"{one}_evaluations") for one in named]
        seconds = func.coalesce(func.sum(Evaluation.duration_in_seconds), 0).label("total_duration_seconds")
        statement = select(func.count().label("total_evaluations"), seconds, *counts)
        mine = (Evaluation.experiment_id == experiment_id, Evaluation.tenant_id == self.caller.tenant_id)
        row: Any = (await self.session.execute(statement.where(*mine))).one()
        found: Row[Any] = row
        return found


class TagCrud(Crud[EvalTag]):
    """The tags of the caller's tenant."""

    model = EvalTag
    soft_deleted = False

    async def page_of_tags(self, paging: Paging) -> Page:
        """Return a page of the tags, by name."""
        sortable = {name: getattr(EvalTag, name) for name in ("id", "name", "created_at")}
        return await self.page(paging, self.visible(*self._columns()), sortable, "name")

    async def found(self, text: str, limit: int) -> Sequence[Row[Any]]:
        """Return the tags with the text in their names, by name."""
        statement = self.visible(*self._columns()).where(contains(EvalTag.name, text))
        rows: Sequence[Any] = (await self.session.execute(statement.order_by(EvalTag.name).limit(limit))).all()
        return rows

    async def of_names(self, names: Collection[str]) -> dict[str, UUID]:
        """Return the tags of these names, whatever their case: lower-cased name → id."""
        lowered = func.lower(EvalTag.name, type_=Text())
        statement = self.visible(lowered, EvalTag.id).where(lowered.in_({name.lower() for name in names}))
        return {row[0]: row[1] for row in await self.session.execute(statement)}

    async def existing(self, ids: Collection[UUID]) -> set[UUID]:
        """Return which of the ids are tags of the tenant."""
        return set(await self.session.scalars(self.visible(EvalTag.id).where(EvalTag.id.in_(ids))))

    @staticmethod
    def _columns() -> list[Any]:
        return [getattr(EvalTag, name) for name in ("id", "name", "description", "created_at", "modified_at")]


class EvaluationCrud(Crud[Evaluation]):
    """The evaluations of experiments in the caller's reach, and those of deployments that the caller may look at."""

    model = Evaluation
    soft_deleted = False

    def reach(self) -> list[Any]:
        """Add the reach of the experiments and of the deployments."""
        return [*super().reach(), reached(self.session, self.caller, Evaluation)]


class RunCrud(Crud[EvaluationRun]):
    """The runs of experiments in the caller's reach."""

    model = EvaluationRun

    def reach(self) -> list[Any]:
        """Add the reach of the experiments."""
        mine = ExperimentCrud(self.session, self.caller).visible(Experiment.id)
        return [*super().reach(), EvaluationRun.experiment_id.in_(mine)]

    async def metrics(self, run_id: UUID) -> Sequence[RunMetric]:
        """Return the scores of a run that is in reach."""
        mine = (RunMetric.run_id == run_id, RunMetric.tenant_id == self.caller.tenant_id)
        return (await self.session.scalars(select(RunMetric).where(*mine).order_by(RunMetric.position))).all()


def reached(session: ReadSession, caller: Caller, table: Any) -> ColumnElement[bool]:
    """Return the condition for what belongs to an experiment, or is about a deployment, in the caller's reach.

    Args:
        session: whose hooks say which projects are in reach.
        caller: who asks.
        table: has `experiment_id`, `endpoint_id` and `tenant_id`.
    """
    mine = ExperimentCrud(session, caller).visible(Experiment.id)
    alive = select(Experiment.id).where(Experiment.tenant_id == caller.tenant_id, not_deleted(Experiment))
    projects = projects_holding(session, caller, Scope.ENDPOINT_VIEW)
    endpoints = select(Endpoint.id).where(
        Endpoint.tenant_id == caller.tenant_id, not_deleted(Endpoint), Endpoint.project_id.in_(projects)
    )
    about = and_(table.endpoint_id.in_(endpoints), table.experiment_id.in_(alive))
    return or_(table.experiment_id.in_(mine), about)


async def lock_experiment(session: WriteSession, experiment_id: UUID) -> None:
    """Have nobody else give numbers to runs of the experiment until the commit."""
    await session.execute(select(Experiment.id).where(Experiment.id == experiment_id).with_for_update())


async def next_run_index(session: ReadSession, experiment_id: UUID) -> int:
    """Return the number of the experiment's next run; lock the experiment before."""
    last = select(func.max(EvaluationRun.run_index)).where(EvaluationRun.experiment_id == experiment_id)
    return int(await session.scalar(last) or 0) + 1


async def lock_evaluation(session: WriteSession, tenant_id: UUID, evaluation_id: UUID) -> Evaluation | None:
    """Return the tenant's evaluation, locked."""
    mine = (Evaluation.id == evaluation_id, Evaluation.tenant_id == tenant_id)
    found: Evaluation | None = await session.scalar(select(Evaluation).where(*mine).with_for_update())
    return found


async def evaluation_of_any(session: WriteSession, evaluation_id: UUID) -> Evaluation | None:
    """Return the evaluation, of whichever tenant, locked; for a service of the platform that names it."""
    found: Evaluation | None = await session.scalar(
        select(Evaluation).where(Evaluation.id == evaluation_id).with_for_update()
    )
    return found


async def runs_of(session: WriteSession, evaluation: Evaluation) -> Sequence[EvaluationRun]:
    """Return the runs of an evaluation that is locked."""
    mine = (EvaluationRun.evaluation_id == evaluation.id, EvaluationRun.tenant_id == evaluation.tenant_id)
    return (await session.scalars(select(EvaluationRun).where(*mine).order_by(EvaluationRun.run_index))).all()


async def clear_metrics(session: WriteSession, run: EvaluationRun) -> None:
    """Forget the scores of a run, which is going to have others."""
    mine = (RunMetric.run_id == run.id, RunMetric.tenant_id == run.tenant_id)
    for metric in (await session.scalars(select(RunMetric).where(*mine))).all():
        await session.delete(metric)
    await session.flush()


async def name_taken(session: ReadSession, experiment_id: UUID, name: str, except_for: UUID | None = None) -> bool:
    """Tell whether an evaluation of the experiment has the name."""
    statement = select(Evaluation.id).where(Evaluation.experiment_id == experiment_id, Evaluation.name == name)
    if except_for is not None:
        statement = statement.where(Evaluation.id != except_for)
    return await session.scalar(statement) is not None


async def names_like(session: ReadSession, experiment_id: UUID, stem: str) -> set[str]:
    """Return the names of the experiment's evaluations that begin with the text."""
    mine = (Evaluation.experiment_id == experiment_id, Evaluation.name.startswith(stem, autoescape=True))
    return set(await session.scalars(select(Evaluation.name).where(*mine)))


async def live_evaluations_of(session: WriteSession, experiment_id: UUID) -> bool:
    """Tell whether an evaluation of the experiment goes on."""
    statement = select(Evaluation.id).where(Evaluation.experiment_id == experiment_id, Evaluation.status == "running")
    return await session.scalar(statement.limit(1)) is not None


def _wanted(query: ExperimentQuery) -> list[ColumnElement[bool]]:
    conditions = equal(query, id=Experiment.id, project_id=Experiment.project_id)
    if isinstance(query.search, str) and query.search.strip():
        conditions.append(contains(Experiment.name, query.search.strip()))
    if query.experiment_status is not None:
        conditions.append(_status() == query.experiment_status)
    if query.model_id is not None:
        conditions.append(exists().where(_LIVE_RUN, EvaluationRun.model_id == query.model_id))
    if query.tags:
        named = func.lower(EvalTag.name, type_=Text()).in_([tag.lower() for tag in query.tags])
        conditions.append(exists().where(EvalTag.id == any_(Experiment.tag_ids), named))
    if query.created_after is not None:
        conditions.append(Experiment.created_at >= query.created_after)
    if query.created_before is not None:
        conditions.append(Experiment.created_at <= query.created_before)
    return conditions


async def endpoint_of(session: ReadSession, tenant_id: UUID, endpoint_id: UUID) -> Endpoint | None:
    """Return the tenant's deployment, whatever has become of it."""
    mine = (Endpoint.id == endpoint_id, Endpoint.tenant_id == tenant_id)
    found: Endpoint | None = await session.scalar(select(Endpoint).where(*mine))
    return found


async def endpoint(session: ReadSession, evaluation: Evaluation) -> Endpoint | None:
    """Return the deployment that is evaluated, unless it is deleted."""
    found = await endpoint_of(session, evaluation.tenant_id, evaluation.endpoint_id)
    return found if found is not None and found.status != "deleted" else None


async def choosable_endpoints(session: ReadSession, caller: Caller) -> Sequence[Row[Any]]:
    """Return the deployments that run and that the caller may look at, by name: 1,000 at most."""
    projects = projects_holding(session, caller, Scope.ENDPOINT_VIEW)
    mine = (Endpoint.tenant_id == caller.tenant_id, Endpoint.project_id.in_(projects), Endpoint.status == "running")
    statement = select(Endpoint.id, Endpoint.name).where(*mine).order_by(Endpoint.name)
    rows: Sequence[Any] = (await session.execute(statement.limit(_MOST_CHOICES))).all()
    return rows


async def choosable_traits(session: ReadSession) -> Sequence[Row[Any]]:
    """Return the traits, in the manifest's order."""
    statement = select(EvalTrait.id, EvalTrait.name).order_by(EvalTrait.position)
    rows: Sequence[Any] = (await session.execute(statement)).all()
    return rows


async def choosable_datasets(session: ReadSession, trait_ids: Collection[UUID]) -> Sequence[Row[Any]]:
    """Return the datasets that can be run and say something about one of the traits, by name."""
    serving = select(EvalTraitDataset.dataset_id).where(EvalTraitDataset.trait_id.in_(trait_ids))
    runnable = (EvalDataset.status == "active", EvalDataset.eval_types["gen"].astext.is_not(None))
    statement = select(EvalDataset.id, EvalDataset.name).where(*runnable, EvalDataset.id.in_(serving))
    rows: Sequence[Any] = (await session.execute(statement.order_by(EvalDataset.name).limit(_MOST_CHOICES))).all()
    return rows


async def summary_of_steps(session: ReadSession, tenant_id: UUID, endpoint_id: UUID) -> Row[Any] | None:
    """Return the tenant's `Endpoint` with `model_name` and `cluster_name`."""
    of_model = and_(Model.id == Endpoint.model_id, Model.tenant_id == Endpoint.tenant_id)
    statement = (
        select(Endpoint, Model.name.label("model_name"), Cluster.name.label("cluster_name"))
        .outerjoin(Model, of_model)
        .outerjoin(Cluster, Cluster.id == Endpoint.cluster_id)
        .where(Endpoint.id == endpoint_id, Endpoint.tenant_id == tenant_id)
    )
    row: Any = (await session.execute(statement)).first()
    found: Row[Any] | None = row
    return found
