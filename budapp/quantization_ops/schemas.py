from typing import Literal
from uuid import UUID

from pydantic import Field

from budapp.commons.paging import Paging
from budapp.commons.schemas import Answer, Name, OptionalText, PageAnswer, Schema
from budapp.workflow_ops.schemas import WorkflowPost


class MethodQuery(Paging):
    """With `search`, `name` is looked for in names; without, it must be the method's name."""

    name: OptionalText = None


class MethodView(Schema):
    name: str
    description: str | None
    hardware_support: list[str]
    method_type: list[str]
    runtime_hardware_support: list[str]


class MethodList(PageAnswer):
    object: Literal["quantization_method.list"] = "quantization_method.list"
    message: str = "Quantization methods found"
    quantization_methods: list[MethodView]


class Precision(Schema):
    """How numbers are stored: with so many bits, and one scale for each tensor, channel, and so on."""

    bit: Literal[8, 4, 2]
    granularity: Literal["per_tensor", "per_channel", "per_group", "per_head", "per_token"]
    symmetric: bool


class QuantizationPost(WorkflowPost):
    """A step of quantizing a model; `cluster_id` is the one that budcluster knows."""

    model_id: UUID | None = None
    quantized_model_name: Name | None = None
    target_type: Literal["INT8", "INT4", "INT2"] | None = None
    target_device: Literal["CPU", "CUDA"] | None = None
    method: Name | None = Field(default=None, description="The quantization method, by name")
    weight_config: Precision | None = None
    activation_config: Precision | None = None
    cluster_id: UUID | None = Field(default=None, description="budcluster's id of the cluster")


class CancelRequest(Schema):
    workflow_id: UUID


class QuantizationCancelled(Answer):
    object: Literal["quantization.cancel"] = "quantization.cancel"
    message: str = "Quantization cancelled"
