from typing import Annotated

from fastapi import APIRouter, Depends, Query

from budapp.commons.access import Caller, Requires, service_accounts_may
from budapp.commons.database import Read, Write
from budapp.commons.deadlines import TRIGGER_SECONDS, may_take
from budapp.commons.idempotency import IdempotentRoute
from budapp.commons.scopes import Scope
from budapp.quantization_ops import services, workflows
from budapp.quantization_ops.schemas import (
    CancelRequest,
    MethodList,
    MethodQuery,
    QuantizationCancelled,
    QuantizationPost,
)
from budapp.workflow_ops.schemas import WorkflowRetrieved
from budapp.workflow_ops.services import WorkflowsDep

router = APIRouter(
    prefix="/models", tags=["quantization"], route_class=IdempotentRoute, dependencies=[service_accounts_may]
)

Viewer = Annotated[Caller, Depends(Requires(Scope.MODEL_VIEW))]
Manager = Annotated[Caller, Depends(Requires(Scope.MODEL_MANAGE))]


@router.get("/quantization-methods")
async def list_quantization_methods(
    _caller: Viewer, session: Read, query: Annotated[MethodQuery, Query()]
) -> MethodList:
    """List the quantization methods."""
    return MethodList.of(await services.list_methods(session, query))


@router.post("/quantize-model-workflow", dependencies=[may_take(TRIGGER_SECONDS)])
async def quantize_model(data: QuantizationPost, caller: Manager, flows: WorkflowsDep) -> WorkflowRetrieved:
    """Post a step of quantizing a model.

    The step that sets both precisions has budsim look for clusters; the one that triggers has budcluster quantize.
    """
    return await flows.post(caller, workflows.QUANTIZATION.type, data)


@router.post("/cancel-quantization")
async def cancel_quantization(
    data: CancelRequest, caller: Manager, session: Write, flows: WorkflowsDep
) -> QuantizationCancelled:
    """Cancel a quantization, at budcluster too."""
    await flows.cancel(session, caller, data.workflow_id, only={workflows.QUANTIZATION.type})
    return QuantizationCancelled()
