from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints, computed_field, model_validator

from budapp.commons.crud import Page
from budapp.commons.paging import Paging
from budapp.commons.schemas import Answer, OptionalText, PageAnswer, Schema
from budapp.commons.texts import composed
from budapp.commons.timestamps import Timestamp
from budapp.evaluation_ops.schemas import SplitTexts, readable
from budapp.experiment_ops import statistics
from budapp.experiment_ops.models import RunStatus
from budapp.provider_ops.tags import colored

MOST_CONFIGURED = 100


def _lowered(value: str) -> str:
    return composed(value).lower()


ExperimentName = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=255),
    AfterValidator(readable),
    AfterValidator(_lowered),
]
TagName = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=20),
    AfterValidator(readable),
    AfterValidator(composed),
]
TagDescription = Annotated[str, StringConstraints(strip_whitespace=True, max_length=255), AfterValidator(readable)]
Description = Annotated[str, StringConstraints(strip_whitespace=True, max_length=500), AfterValidator(readable)]
ComputedStatus = Literal["running", "no_runs", "completed", "unknown"]


class TagCreate(Schema):
    name: TagName
    description: (
        Annotated[str, StringConstraints(strip_whitespace=True, max_length=255), AfterValidator(readable)] | None
    ) = None


class TagView(Schema):
    """`color` is always the same for a name."""

    id: UUID
    name: str
    description: str | None
    created_at: datetime
    modified_at: datetime

    @computed_field  # type: ignore[prop-decorator]
    @property
    def color(self) -> str:
        """The one that tags of this name have everywhere."""
        return colored([self.name])[0]["color"]


class TagCreated(Answer):
    object: Literal["eval_tag.create"] = "eval_tag.create"
    message: str = "Tag created"
    tag: TagView


class EvalTagList(PageAnswer):
    object: Literal["eval_tag.list"] = "eval_tag.list"
    message: str = "Tags found"
    tags: list[TagView]


class TagSearchQuery(Schema):
    q: TagName
    limit: int = Field(default=10, ge=1, le=50)


class TagsFound(Answer):
    object: Literal["eval_tag.search"] = "eval_tag.search"
    message: str = "Tags found"
    tags: list[TagView]
    total: int


class ExperimentCreate(Schema):
    """`tags` are names, which come into being where there are none; `tag_ids` are tags that there are."""

    name: ExperimentName
    description: Description | None = None
    project_id: UUID | None = None
    tags: list[TagName] | None = Field(default=None, max_length=50)
    tag_ids: list[UUID] | None = Field(default=None, max_length=50)


class ExperimentUpdate(Schema):
    """What is not sent stays."""

    name: ExperimentName | None = None
    description: Description | None = None


class ExperimentQuery(Paging):
    """`search` is looked for in names; `tags` are names, of which one is enough."""

    search: Annotated[str, Field(max_length=100)] | None = Field(  # type: ignore[assignment]
        default=None, description="Part of the experiment's name"
    )
    id: UUID | None = None
    project_id: UUID | None = None
    model_id: UUID | None = None
    experiment_status: ComputedStatus | None = None
    tags: SplitTexts = []
    created_after: Timestamp | None = None
    created_before: Timestamp | None = None
    orderBy: OptionalText = Field(default=None, max_length=100)  # noqa: N815 - the browser's name
    order: Literal["asc", "desc"] | None = None

    @model_validator(mode="after")
    def _one_order(self) -> Self:
        if self.order_by is None and self.orderBy is not None:
            self.order_by = f"{self.orderBy}:{self.order or 'asc'}"
        return self


class ModelOfExperiment(Schema):
    id: UUID
    name: str
    deployment_name: str | None = None


class TraitOfExperiment(Schema):
    id: UUID
    name: str
    icon: str | None = None


class Interval(Schema):
    """The limits of a 95 percent confidence interval, in percent."""

    lower: float = Field(description="The lower limit, in percent")
    upper: float = Field(description="The upper limit, in percent")


class Statistics(Schema):
    """How the intervals beside scores were worked out."""

    confidence_level: float = Field(
        default=statistics.CONFIDENCE_LEVEL, description="How often the interval holds the true value, from 0 to 1"
    )
    interval: str = Field(default=statistics.INTERVAL, description="The method for the score of one dataset")
    mean_interval: str = Field(default=statistics.MEAN_INTERVAL, description="The method for means of scores")
    difference_interval: str = Field(
        default=statistics.DIFFERENCE_INTERVAL, description="The method for differences between scores"
    )


class ExperimentView(Schema):
    id: UUID
    name: str
    description: str | None
    project_id: UUID | None
    tags: list[str]
    tag_ids: list[UUID]
    tag_objects: list[TagView]
    status: ComputedStatus
    models: list[ModelOfExperiment]
    traits: list[TraitOfExperiment]
    created_by: UUID
    created_at: datetime
    updated_at: datetime


class Created(Schema):
    id: UUID


class ExperimentCreated(Answer):
    """`id` and `data.id` are the experiment's, under the names that browsers look for."""

    object: Literal["experiment.create"] = "experiment.create"
    message: str = "Experiment created"
    experiment: ExperimentView
    id: UUID
    data: Created


class ExperimentUpdated(Answer):
    object: Literal["experiment.update"] = "experiment.update"
    message: str = "Experiment updated"
    experiment: ExperimentView


class ExperimentDeleted(Answer):
    object: Literal["experiment.delete"] = "experiment.delete"
    message: str = "Experiment deleted"


class ExperimentList(PageAnswer):
    object: Literal["experiment.list"] = "experiment.list"
    message: str = "Experiments found"
    experiments: list[ExperimentView]
    total: int

    @classmethod
    def of(cls, page: Page) -> Self:
        rows = [ExperimentView.model_validate(dict(row._mapping)) for row in page.rows]
        return cls(experiments=rows, total=page.total, **page.envelope())


class CurrentMetric(Schema):
    """The newest score of a dataset with a deployment; `score` is the text of `score_value`."""

    run_id: UUID
    evaluation: str | None = Field(description="The evaluation's name")
    dataset: str = Field(description="The dataset's name")
    deployment_name: str | None
    model_name: str | None
    traits: list[str]
    status: RunStatus
    score: str | None
    score_value: float | None = Field(description="The score, in percent where it is a share; null for none")
    samples: int | None
    confidence_interval: Interval | None
    last_run: datetime | None


class RunProgress(Schema):
    percent: int = Field(description="How many of the runs are done, in percent")
    completed: int = Field(description="How many runs are done")
    total: int = Field(description="How many runs there are")


class Actions(Schema):
    """An evaluation can't be paused: budeval has no way to."""

    can_pause: bool = False
    pause_url: str = ""


class CurrentDataset(Schema):
    dataset_label: str


class ProgressOverview(Schema):
    """An evaluation that goes on; `run_id` is its id."""

    run_id: UUID = Field(description="The evaluation")
    title: str
    objective: str
    status: str
    current: CurrentDataset | None
    current_evaluation: str
    current_model: str
    eta_minutes: int | None = Field(
        description="Minutes until it is done, as budeval estimates; null where it does not say"
    )
    processing_rate_per_min: int | None = Field(default=None, description="Nothing measures it, so it is null")
    average_score_pct: float | None = Field(description="Mean of the scores so far, in percent; null for none")
    duration_in_seconds: int | None = Field(description="How many seconds it has taken; null until it has begun")
    progress: RunProgress
    actions: Actions = Actions()


class ExperimentDetail(ExperimentView):
    """`runtime` is what its evaluations have taken, in seconds; what nobody measures is null."""

    objective: str | None
    budget_used: float | None = Field(default=None, description="Nothing measures it, so it is null")
    budget_total: float | None = Field(default=None, description="Nothing measures it, so it is null")
    tokens_processed: int | None = Field(default=None, description="Nothing measures it, so it is null")
    runtime: int = Field(description="How many seconds its evaluations have taken")
    processing_rate: float | None = Field(default=None, description="Nothing measures it, so it is null")
    current_metrics: list[CurrentMetric]
    progress_overview: list[ProgressOverview]


class ExperimentRetrieved(Answer):
    object: Literal["experiment.get"] = "experiment.get"
    message: str = "Experiment found"
    experiment: ExperimentDetail
    statistics: Statistics = Statistics()


class ExperimentSummary(Schema):
    total_evaluations: int
    total_duration_seconds: int = Field(description="How many seconds all evaluations have taken")
    completed_evaluations: int = Field(description="How many evaluations are done")
    failed_evaluations: int = Field(description="How many evaluations have failed")
    pending_evaluations: int = Field(description="How many evaluations wait")
    running_evaluations: int = Field(description="How many evaluations go on")
    cancelled_evaluations: int = Field(description="How many evaluations were cancelled")


class SummaryRetrieved(Answer):
    object: Literal["experiment.summary"] = "experiment.summary"
    message: str = "Summary found"
    summary: ExperimentSummary


class ModelQuery(Paging):
    project_id: UUID | None = None


class EvaluatedModel(ModelOfExperiment):
    experiment_count: int


class EvaluatedModelList(PageAnswer):
    object: Literal["experiment.models"] = "experiment.models"
    message: str = "Models found"
    models: list[EvaluatedModel]


class RunsConfigure(Schema):
    """Each deployment is to be run with each dataset."""

    endpoint_ids: list[UUID] = Field(min_length=1, max_length=MOST_CONFIGURED)
    dataset_ids: list[UUID] = Field(min_length=1, max_length=MOST_CONFIGURED)
    evaluation_config: dict[str, Any] | None = Field(default=None, max_length=100)

    @model_validator(mode="after")
    def _not_too_many(self) -> Self:
        if len(set(self.endpoint_ids)) * len(set(self.dataset_ids)) > MOST_CONFIGURED:
            raise ValueError(f"at most {MOST_CONFIGURED} runs can be configured at once")
        return self


class RunView(Schema):
    id: UUID
    experiment_id: UUID
    evaluation_id: UUID | None
    run_index: int
    endpoint_id: UUID
    dataset_version_id: UUID = Field(description="The version of the dataset")
    status: RunStatus
    reason: str | None
    config: dict[str, Any] | None = Field(description="Settings that are kept with the run")
    created_at: datetime
    updated_at: datetime

    @model_validator(mode="before")
    @classmethod
    def _of_row(cls, row: Any) -> Any:
        if isinstance(row, dict):
            return row
        found = {name: getattr(row, name) for name in cls.model_fields if name != "updated_at"}
        return {**found, "updated_at": row.modified_at}


class MetricView(Schema):
    metric_name: str
    mode: str = Field(description="The way of asking, as budeval names it")
    metric_value: float
    samples: int | None


class RunWithResults(RunView):
    metrics: list[MetricView]
    raw_results: dict[str, Any] | None


class RunRetrieved(Answer):
    object: Literal["run.get"] = "run.get"
    message: str = "Run found"
    run: RunWithResults


class RunUpdate(Schema):
    config: dict[str, Any] | None = Field(
        default=None, max_length=100, description="Settings that are kept with the run"
    )


class RunUpdated(Answer):
    object: Literal["run.update"] = "run.update"
    message: str = "Run updated"
    run: RunView


class RunDeleted(Answer):
    object: Literal["run.delete"] = "run.delete"
    message: str = "Run deleted"


class RunsConfigured(Answer):
    object: Literal["run.configure"] = "run.configure"
    message: str = "Runs configured"
    runs: list[RunView]
    total_runs: int


class HistoryQuery(Schema):
    page: int = Field(default=1, ge=1, le=1_000_000)
    page_size: int = Field(default=50, ge=1, le=100)
    sort_field: Literal["started_at", "status", "model", "duration_seconds"] = "started_at"
    sort_direction: Literal["asc", "desc"] = "desc"


class RunScore(Schema):
    name: str
    score: str


class HistoryItem(Schema):
    run_id: UUID
    model: str | None = Field(description="The model's name")
    deployment_name: str | None
    status: RunStatus
    started_at: datetime
    duration_seconds: int
    benchmarks: list[RunScore]


class Sorting(Schema):
    field: str
    direction: str


class History(Schema):
    total: int
    items: list[HistoryItem]
    sort: Sorting
    page: int
    page_size: int


class HistoryRetrieved(Answer):
    object: Literal["run.history"] = "run.history"
    message: str = "Runs found"
    runs_history: History


class EtaUpdate(Schema):
    """How many seconds an evaluation will still take."""

    evaluation_id: UUID
    eta_seconds: int = Field(ge=0, le=31_536_000)


class EtaUpdated(Answer):
    object: Literal["evaluation.eta"] = "evaluation.eta"
    message: str = "Estimate taken"
