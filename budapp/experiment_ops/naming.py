"""What the steps of an evaluation hold, and the objects that they name."""

from typing import Any
from uuid import UUID

from pydantic import Field

from budapp.commons.access import Caller
from budapp.commons.database import ReadSession
from budapp.commons.errors import NotFound
from budapp.endpoint_ops.models import Endpoint
from budapp.evaluation_ops.services import find_datasets
from budapp.experiment_ops import crud
from budapp.experiment_ops.evaluation_schemas import Choice, NextStep, Summary
from budapp.experiment_ops.schemas import Description, ExperimentName
from budapp.experiment_ops.step_views import StageData
from budapp.model_ops import services as models
from budapp.workflow_ops.schemas import WorkflowPost
from budapp.workflow_ops.step_views import Named, StepObjects


class EvaluationPost(WorkflowPost):
    """What the engine keeps of a step."""

    experiment_id: UUID | None = None
    name: ExperimentName | None = None
    description: Description | None = None
    endpoint_id: UUID | None = None
    trait_ids: list[UUID] | None = Field(default=None, min_length=1, max_length=50)
    dataset_ids: list[UUID] | None = Field(default=None, min_length=1, max_length=50)


async def name_objects(session: ReadSession, tenant_id: UUID, data: dict[str, Any]) -> StepObjects:
    """Return the deployment, its model, and what the steps say together as `stage_data`."""
    endpoint = None
    if data.get("endpoint_id"):
        endpoint = await crud.endpoint_of(session, tenant_id, UUID(data["endpoint_id"]))
    model = await models.brief_of(session, tenant_id, endpoint.model_id) if endpoint is not None else None
    said = {name: data.get(name) for name in ("name", "description", "endpoint_id", "trait_ids", "dataset_ids")}
    specs = endpoint.deployment_config if endpoint is not None else None
    stages = StageData.model_validate({**said, "selected_model": model, "deployment_specs": specs})
    named = Named(id=endpoint.id, name=endpoint.name) if endpoint is not None else None
    return {"endpoint": named, "model": model, "stage_data": stages}


async def next_step(session: ReadSession, caller: Caller, data: dict[str, Any], status: str) -> NextStep:
    """Return what the next step can choose from, or a summary of what was chosen."""
    if not data.get("endpoint_id"):
        rows = await crud.choosable_endpoints(session, caller)
        return NextStep(available_endpoints=[Choice.model_validate(row) for row in rows])
    if not data.get("trait_ids"):
        rows = await crud.choosable_traits(session)
        return NextStep(available_traits=[Choice.model_validate(row) for row in rows])
    if not data.get("dataset_ids"):
        found = await crud.choosable_datasets(session, [UUID(one) for one in data["trait_ids"]])
        return NextStep(available_datasets=[Choice.model_validate(row) for row in found])
    return NextStep(summary=await _summary(session, caller, data, status))


async def _summary(session: ReadSession, caller: Caller, data: dict[str, Any], status: str) -> Summary:
    found = await crud.summary_of_steps(session, caller.tenant_id, UUID(data["endpoint_id"]))
    if found is None:
        raise NotFound("The deployment was deleted in the meantime")
    datasets = await find_datasets(session, [UUID(one) for one in data["dataset_ids"]])
    sizes = [one.version.sample_count for one in datasets]
    endpoint: Endpoint = found.Endpoint
    return Summary(
        evaluation_name=data.get("name"),
        evaluation_type=", ".join(one["name"] for one in data.get("traits_details") or ()) or None,
        model_name=found.model_name,
        deployment_name=endpoint.name,
        deployment_specs=endpoint.deployment_config,
        cluster_name=found.cluster_name,
        created_by=caller.name,
        dataset_size=sum(one or 0 for one in sizes) if any(sizes) else None,
        status=status,
        evaluations=[one.dataset.name for one in datasets],
    )
