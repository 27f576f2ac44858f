"""What the steps of a quantization look like to browsers."""

from typing import Self
from uuid import UUID

from pydantic import Field, model_validator

from budapp.cluster_ops.step_views import SimulationSteps
from budapp.commons.schemas import Schema
from budapp.model_ops.step_views import ModelBrief, ModelSteps
from budapp.workflow_ops.step_views import Json, StepList


class Quantizing(Schema):
    bit: int | None = None
    granularity: str | None = None
    symmetric: bool | None = None


class QuantizationConfig(Schema):
    model_id: UUID | None = None
    quantized_model_name: str | None = None
    target_type: str | None = None
    target_device: str | None = None
    method: str | None = Field(default=None, description="The quantization method, by name")
    weight_config: Quantizing | None = None
    activation_config: Quantizing | None = None
    cluster_id: UUID | None = Field(default=None, description="budcluster's id of the cluster")
    simulation_id: str | None = Field(default=None, description="The simulation, by budsim's id")
    quantization_data: Json | None = Field(default=None, description="What came of it, as budcluster says")
    quantized_model_id: UUID | None = None
    quantized_model: ModelBrief | None = None


class QuantizationSteps(ModelSteps, SimulationSteps):
    """The steps by which a model is quantized; all but the model and the lists are in `quantization_config`."""

    quantization_config: QuantizationConfig | None = None
    quantization_simulation_events: StepList | None = Field(
        default=None, description="The same as `bud_simulator_events`"
    )
    quantization_deployment_events: StepList | None = Field(
        default=None, description="How budcluster quantizes the model"
    )

    @model_validator(mode="after")
    def _simulation_under_both_names(self) -> Self:
        self.quantization_simulation_events = self.bud_simulator_events
        return self
