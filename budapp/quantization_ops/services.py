"""Quantization methods, and what the steps of a quantization say; `workflows.py` has how it goes."""

from typing import Any
from uuid import UUID

from budapp.commons.crud import Page
from budapp.commons.database import ReadSession
from budapp.model_ops import services as models
from budapp.quantization_ops import crud
from budapp.quantization_ops.schemas import MethodQuery
from budapp.quantization_ops.step_views import QuantizationConfig
from budapp.workflow_ops.step_views import StepObjects

_SAID = ("model_id", "quantized_model_name", "target_type", "target_device", "method", "weight_config")
_MORE = ("activation_config", "cluster_id", "quantized_model_id", "quantization_data")


async def list_methods(session: ReadSession, query: MethodQuery) -> Page:
    """Return a page of the methods, by name."""
    return await crud.page_of_methods(session, query)


async def name_objects(session: ReadSession, tenant_id: UUID, data: dict[str, Any]) -> StepObjects:
    """Return the model, and `quantization_config` with all that the steps of a quantization say."""
    named = await models.name_objects(session, tenant_id, data)
    if "quantized_model_name" not in data:
        return named
    config = {name: data.get(name) for name in (*_SAID, *_MORE)} | {"simulation_id": data.get("simulator_id")}
    made = data.get("quantized_model_id")
    config["quantized_model"] = await models.brief_of(session, tenant_id, UUID(made)) if made else None
    return {**named, "quantization_config": QuantizationConfig.model_validate(config)}
