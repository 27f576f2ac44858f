"""What the steps of evaluations and of experiments look like to browsers."""

from uuid import UUID

from pydantic import Field

from budapp.commons.schemas import Schema
from budapp.endpoint_ops.step_views import DeploymentSteps
from budapp.model_ops.step_views import ModelBrief, ModelSteps
from budapp.workflow_ops.step_views import Json, StepList


class StageData(Schema):
    """What the steps have said, together."""

    name: str | None = None
    description: str | None = None
    endpoint_id: UUID | None = None
    trait_ids: list[UUID] | None = None
    dataset_ids: list[UUID] | None = None
    selected_model: ModelBrief | None = None
    deployment_specs: Json | None = None


class EvaluationSteps(DeploymentSteps, ModelSteps):
    """The steps of an evaluation of a deployment by traits."""

    experiment_id: UUID | None = None
    evaluation_id: UUID | None = None
    trait_ids: list[UUID] | None = None
    traits_details: list[Json] | None = None
    dataset_ids: list[UUID] | None = None
    stage_data: StageData | None = None
    evaluation_events: StepList | None = Field(default=None, description="How budeval evaluates")


class ExperimentSteps(EvaluationSteps):
    """The steps by which an experiment is put together."""

    performance_point: int | None = None
    run_ids: list[UUID] | None = None
