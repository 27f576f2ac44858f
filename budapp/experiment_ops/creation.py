"""How an experiment is put together in steps: what it is called, which deployments, traits and datasets."""

from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import Field, model_validator

from budapp.commons.access import Caller
from budapp.commons.database import ReadSession, WriteSession
from budapp.commons.errors import BadRequest, NotFound
from budapp.commons.schemas import Answer, Schema
from budapp.commons.scopes import Scope
from budapp.evaluation_ops.services import require_datasets, require_traits
from budapp.experiment_ops import crud
from budapp.experiment_ops.evaluation_schemas import Choice, NextStep
from budapp.experiment_ops.schemas import MOST_CONFIGURED, Description, ExperimentCreate, ExperimentName, TagName
from budapp.experiment_ops.services import add_runs, create_experiment, require_endpoints
from budapp.experiment_ops.step_views import ExperimentSteps
from budapp.integrations.peers import Json, PeerCall
from budapp.project_ops.services import require_project
from budapp.workflow_ops.definitions import Definition, Outcome, Run, Task
from budapp.workflow_ops.schemas import WorkflowPost
from budapp.workflow_ops.services import Workflows, find_run

LAST_STEP = 5
_ORDER = ("name", "endpoint_ids", "trait_ids", "performance_point")
Point = Annotated[int, Field(ge=0, le=100)]
Ids = Annotated[list[UUID], Field(min_length=1, max_length=50)]


class _Said(Schema):
    name: ExperimentName | None = None
    description: Description | None = None
    project_id: UUID | None = None
    endpoint_ids: Ids | None = None
    trait_ids: Ids | None = None
    dataset_ids: Ids | None = None
    performance_point: Point | None = None
    evaluation_config: dict[str, Any] | None = Field(default=None, max_length=100)


class ExperimentStages(_Said):
    """What the steps say: 1 the name, 2 the deployments, 3 the traits, 4 the score that is hoped for, 5 settings."""

    tags: list[TagName] | None = Field(default=None, max_length=50)


class ExperimentPost(WorkflowPost, _Said):
    """What the engine keeps of a step; other workflows have tags of another kind."""

    tag_names: list[TagName] | None = None


class ExperimentRequest(Schema):
    """A step of an experiment; `workflow_total_steps` counts in the first one alone."""

    workflow_id: UUID | None = None
    step_number: int = Field(ge=1, le=LAST_STEP)
    workflow_total_steps: int = Field(default=LAST_STEP, ge=1, le=100)
    trigger_workflow: bool = False
    stage_data: ExperimentStages = ExperimentStages()

    @model_validator(mode="after")
    def _says_what_it_is_for(self) -> Self:
        wanted = _ORDER[self.step_number - 1] if self.step_number < LAST_STEP else None
        if wanted is not None and getattr(self.stage_data, wanted) is None:
            raise ValueError(f"stage_data.{wanted} is required in step {self.step_number}")
        if self.trigger_workflow and self.step_number < LAST_STEP:
            raise ValueError(f"only step {LAST_STEP} can trigger")
        return self


class ExperimentWorkflow(Answer):
    """Where the experiment stands; `next_step` is null once it is complete."""

    object: Literal["experiment.workflow"] = "experiment.workflow"
    message: str = "Workflow step stored"
    workflow_id: UUID
    current_step: int
    total_steps: int
    next_step: int | None = Field(description="The number of the next step; null once it is complete")
    is_complete: bool
    status: str
    experiment_id: UUID | None
    data: dict[str, Any] = Field(description="What the steps have said so far")
    next_step_data: NextStep | None


async def post_step(flows: Workflows, caller: Caller, body: ExperimentRequest) -> UUID:
    """Store a step, and return the workflow; the last step makes the experiment and its runs, which wait.

    Raises:
        NotFound: no such workflow, project, deployment, trait or dataset, or out of reach.
        BadRequest: a step is skipped, or a dataset serves no chosen trait.
        Conflict: the caller has an experiment of that name.
    """
    said = body.stage_data.model_dump(exclude_unset=True)
    said["tag_names"] = said.pop("tags", None)
    total = body.workflow_total_steps if body.workflow_id is None else None
    opened = {"workflow_id": body.workflow_id, "workflow_total_steps": total}
    steps = {"step_number": body.step_number, "trigger_workflow": body.trigger_workflow}
    return (await flows.post(caller, CREATION.type, ExperimentPost(**opened, **steps, **said))).workflow_id


async def get_workflow(session: ReadSession, caller: Caller, workflow_id: UUID) -> ExperimentWorkflow:
    """Return where an experiment stands; `NotFound` out of reach."""
    run = await find_run(session, caller, workflow_id)
    if run.workflow.workflow_type != CREATION.type:
        raise NotFound("Workflow not found")
    workflow, data = run.workflow, run.data
    following = next((number for number, name in enumerate(_ORDER, 1) if data.get(name) is None), LAST_STEP)
    is_complete = workflow.status == "completed"
    return ExperimentWorkflow(
        workflow_id=workflow.id,
        current_step=workflow.current_step,
        total_steps=workflow.total_steps,
        next_step=None if is_complete else following,
        is_complete=is_complete,
        status=workflow.status,
        experiment_id=data.get("experiment_id"),
        data={**{name: data[name] for name in _Said.model_fields if name in data}, "tags": data.get("tag_names")},
        next_step_data=None if is_complete else await _choices(session, caller, following, data),
    )


async def _choices(session: ReadSession, caller: Caller, number: int, data: Json) -> NextStep:
    if number == 2:
        rows = await crud.choosable_endpoints(session, caller)
        return NextStep(available_endpoints=[Choice.model_validate(row) for row in rows])
    if number == 3:
        return NextStep(available_traits=[Choice.model_validate(row) for row in await crud.choosable_traits(session)])
    if data.get("trait_ids"):
        rows = await crud.choosable_datasets(session, [UUID(one) for one in data["trait_ids"]])
        return NextStep(available_datasets=[Choice.model_validate(row) for row in rows])
    return NextStep()


async def _check(session: WriteSession, caller: Caller, run: Run) -> None:
    data = run.data
    last = max((_ORDER.index(name) for name in _ORDER if name in run.posted), default=-1)
    needed = _ORDER if run.triggered else _ORDER[: max(last, 0)]
    missing = [name for name in needed if data.get(name) is None]
    if missing:
        raise BadRequest(f"Step {_ORDER.index(missing[0]) + 1} comes first: it says {missing[0]}", param="step_number")
    run.workflow.title = data.get("name") or CREATION.title
    if data.get("project_id"):
        await require_project(session, caller, UUID(data["project_id"]), Scope.PROJECT_VIEW)
    traits = [UUID(one) for one in data.get("trait_ids") or ()]
    if traits:
        await require_traits(session, traits)
    if data.get("endpoint_ids"):
        await require_endpoints(session, caller, [UUID(one) for one in data["endpoint_ids"]])
    if data.get("dataset_ids"):
        await require_datasets(session, [UUID(one) for one in data["dataset_ids"]], traits)
    if run.triggered and not data.get("experiment_id"):
        await _make(session, caller, run, traits)


async def _make(session: WriteSession, caller: Caller, run: Run, traits: list[UUID]) -> None:
    data = run.data
    named = {name: data.get(name) for name in ("name", "description", "project_id")}
    wanted = ExperimentCreate.model_validate({**named, "tags": data.get("tag_names")})
    experiment_id: UUID = (await create_experiment(session, caller, wanted)).id
    chosen = [UUID(one) for one in data.get("dataset_ids") or ()]
    if not chosen:
        chosen = [row.id for row in await crud.choosable_datasets(session, traits)]
    endpoints = await require_endpoints(session, caller, [UUID(one) for one in data["endpoint_ids"]])
    datasets = await require_datasets(session, chosen, traits)
    if len(endpoints) * len(datasets) > MOST_CONFIGURED:
        raise BadRequest(f"These are more than {MOST_CONFIGURED} runs; choose fewer datasets", param="dataset_ids")
    config = {"performance_point": data["performance_point"], **(data.get("evaluation_config") or {})}
    runs = await add_runs(session, experiment_id, endpoints, datasets, config=config)
    run.keep(experiment_id=str(experiment_id), run_ids=[str(one.id) for one in runs])


async def _nobody(_session: ReadSession, _run: Run) -> PeerCall | None:
    return None


async def _made(_session: WriteSession, run: Run, _answer: Any) -> Outcome:
    return Outcome([{"experiment_id": run.data["experiment_id"]}])


CREATION = Definition(
    type="evaluation_creation",
    scope=Scope.BENCHMARK_MANAGE,
    title="New experiment",
    tag="Evaluations",
    fields=ExperimentPost.step_fields(),
    shows=ExperimentSteps,
    unshown=("project_id", "endpoint_ids", "evaluation_config", "tag_names"),
    check=_check,
    tasks=(Task(needs=_ORDER, request=_nobody, results=_made),),
)
