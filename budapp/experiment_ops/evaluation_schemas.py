from datetime import datetime
from typing import Any, Literal, Self
from uuid import UUID

from pydantic import Field, model_validator

from budapp.commons.schemas import Answer, OptionalText, PageAnswer, Schema
from budapp.experiment_ops.models import EvaluationStatus, RunStatus
from budapp.experiment_ops.schemas import (
    Description,
    ExperimentName,
    ExperimentView,
    Interval,
    ModelOfExperiment,
    Statistics,
)


class RunOfEvaluation(Schema):
    """What has become of one dataset; `score` is in percent where it is a share."""

    run_id: UUID
    run_index: int
    dataset_id: UUID
    dataset_name: str
    version: str = Field(description="The version of the dataset")
    status: RunStatus
    reason: str | None
    evaluation_job_id: str | None = Field(default=None, description="budeval's id of its work; null where it has none")
    score: float | None
    samples: int | None
    confidence_interval: Interval | None
    created_at: datetime


class DatasetOfTrait(Schema):
    id: UUID
    name: str
    version: str
    description: str | None


class TraitWithDatasets(Schema):
    """A trait, the evaluation's datasets that say something about it, and their mean."""

    id: UUID
    name: str
    icon: str | None
    score: float | None
    confidence_interval: Interval | None
    datasets: list[DatasetOfTrait]


class DatasetScore(Schema):
    dataset_id: UUID
    dataset_name: str
    score: float | None
    samples: int | None
    confidence_interval: Interval | None


class EvaluationScores(Schema):
    """`overall_accuracy` is the mean over the datasets that are shares, each counting alike."""

    status: EvaluationStatus
    overall_accuracy: float | None = Field(
        description="Mean over the datasets that are shares, each counting alike, in percent; null for none"
    )
    confidence_interval: Interval | None
    datasets: list[DatasetScore]


class EvaluationView(Schema):
    """An evaluation with all its runs, those without a score too."""

    id: UUID = Field(description="The evaluation")
    evaluation_id: UUID
    evaluation_name: str
    description: str | None
    experiment_id: UUID
    experiment_name: str
    endpoint_id: UUID
    deployment_name: str | None
    model: ModelOfExperiment | None
    status: EvaluationStatus
    reason: str | None
    workflow_id: UUID | None
    traits: list[TraitWithDatasets]
    scores: EvaluationScores
    runs: list[RunOfEvaluation]
    eta_seconds: int | None = Field(
        description="Seconds until it is done, as budeval estimates; null where it does not say"
    )
    started_at: datetime | None
    duration_in_seconds: int | None = Field(description="How many seconds it took; null until it is done")
    created_at: datetime
    updated_at: datetime


class ExperimentEvaluations(Answer):
    object: Literal["experiment.evaluations"] = "experiment.evaluations"
    message: str = "Evaluations found"
    experiment: ExperimentView
    evaluations: list[EvaluationView]
    statistics: Statistics = Statistics()


class EvaluationQuery(Schema):
    """`search` is looked for in the names of evaluations, and unless `searchName` is false of experiments too.

    With `export_format`, all that is found is sent as a file.
    """

    page: int = Field(default=1, ge=1, le=1_000_000)
    page_size: int = Field(default=20, ge=1, le=100)
    endpoint_id: UUID | None = None
    model_id: UUID | None = None
    search: OptionalText = Field(default=None, max_length=100, description="Part of the evaluation's name")
    searchName: bool = True  # noqa: N815 - the browser's name
    export_format: Literal["csv", "json"] | None = None


class AllEvaluations(PageAnswer):
    object: Literal["evaluation.list"] = "evaluation.list"
    message: str = "Evaluations found"
    evaluations: list[EvaluationView]
    total: int
    statistics: Statistics = Statistics()


class ShownEvaluation(Schema):
    """An evaluation as the list of an experiment shows it: with the trait of which the mean is shown."""

    evaluation_id: UUID
    evaluation_name: str
    model_name: str | None
    deployment_name: str | None
    trait_name: str | None = Field(description="Names of the traits, parted by commas; null for none")
    trait_score: float | None = Field(
        description="Mean over the trait that is shown, or over all, in percent; null for none"
    )
    trait_interval: Interval | None = Field(
        description="The 95 percent confidence interval of `trait_score`; null where it is of one trait"
    )
    status: EvaluationStatus
    reason: str | None
    started_date: datetime
    duration_minutes: int = Field(description="How many minutes it took; 0 until it is done")
    runs: list[RunOfEvaluation]

    @classmethod
    def of(cls, one: EvaluationView) -> Self:
        """Return it of the evaluation."""
        traits = [trait for trait in one.traits if trait.score is not None] or one.traits
        shown = traits[0] if traits else None
        return cls(
            evaluation_id=one.id,
            evaluation_name=one.evaluation_name,
            model_name=one.model.name if one.model else None,
            deployment_name=one.deployment_name,
            trait_name=", ".join(trait.name for trait in one.traits) or None,
            trait_score=one.scores.overall_accuracy if len(one.traits) > 1 else shown.score if shown else None,
            trait_interval=one.scores.confidence_interval if len(one.traits) > 1 else None,
            status=one.status,
            reason=one.reason,
            started_date=one.started_at or one.created_at,
            duration_minutes=round((one.duration_in_seconds or 0) / 60),
            runs=one.runs,
        )


class ShownEvaluations(Answer):
    object: Literal["experiment.runs"] = "experiment.runs"
    message: str = "Evaluations found"
    evaluations: list[ShownEvaluation]


class EvaluationStages(Schema):
    """What the steps of an evaluation say: the first its name, and so on; the last one says nothing and triggers."""

    name: ExperimentName | None = None
    description: Description | None = None
    endpoint_id: UUID | None = None
    trait_ids: list[UUID] | None = Field(default=None, min_length=1, max_length=50)
    dataset_ids: list[UUID] | None = Field(default=None, min_length=1, max_length=50)


class Summary(Schema):
    """What is going to be evaluated, or was."""

    evaluation_name: str | None
    evaluation_type: str | None
    model_name: str | None
    deployment_name: str | None
    deployment_specs: dict[str, Any] | None
    cluster_name: str | None
    template_name: str | None = None
    created_by: str | None
    dataset_size: int | None = Field(
        description="How many questions the datasets have together; null where that is not known"
    )
    status: str
    evaluations: list[str]


class Choice(Schema):
    id: UUID
    name: str


class NextStep(Schema):
    """What the next step can choose from; or what has been chosen, where nothing is left."""

    available_endpoints: list[Choice] | None = None
    available_traits: list[Choice] | None = None
    available_datasets: list[Choice] | None = None
    summary: Summary | None = None


STAGES = {1: "name", 2: "endpoint_id", 3: "trait_ids", 4: "dataset_ids"}


class EvaluationRequest(Schema):
    """A step of an evaluation; `workflow_total_steps` counts in the first one alone."""

    workflow_id: UUID | None = None
    step_number: int = Field(ge=1, le=5)
    workflow_total_steps: int = Field(default=5, ge=1, le=100)
    trigger_workflow: bool = False
    stage_data: EvaluationStages = EvaluationStages()

    @model_validator(mode="after")
    def _says_what_it_is_for(self) -> Self:
        wanted = STAGES.get(self.step_number)
        if wanted is not None and not getattr(self.stage_data, wanted):
            raise ValueError(f"stage_data.{wanted} is required in step {self.step_number}")
        if self.trigger_workflow and self.step_number < len(STAGES) + 1:
            raise ValueError("only step 5 can trigger the evaluation")
        return self
