from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from budapp.commons.access import Caller, Requires, service_accounts_may
from budapp.commons.database import Read
from budapp.commons.deadlines import may_take
from budapp.commons.domain import provided
from budapp.commons.scopes import Scope
from budapp.evaluation_ops import schemas as view
from budapp.evaluation_ops import services
from budapp.evaluation_ops.services import EvaluationData

router = APIRouter(prefix="/experiments", tags=["evaluations"], dependencies=[service_accounts_may])
sync_router = APIRouter(prefix="/experiments", tags=["evaluations"])

Viewer = Annotated[Caller, Depends(Requires(Scope.MODEL_VIEW))]
ViewerOf = Annotated[Caller, Depends(Requires(Scope.MODEL_VIEW, row=services.reach_dataset))]
PlatformManager = Annotated[Caller, Depends(Requires(Scope.TENANT_MANAGE))]
Data = Annotated[EvaluationData, provided(EvaluationData)]

SYNC_SECONDS = 120


@router.get("/traits")
async def list_traits(caller: Viewer, session: Read, query: Annotated[view.TraitQuery, Query()]) -> view.TraitList:
    """List what models can be evaluated by."""
    return view.TraitList.of_page(*await services.list_traits(session, caller, query))


@router.get("/datasets")
async def list_datasets(
    _caller: Viewer, session: Read, query: Annotated[view.DatasetQuery, Query()]
) -> view.EvalDatasetList:
    """List the datasets that models can be evaluated with, by name."""
    return view.EvalDatasetList.of(await services.list_datasets(session, query))


@router.get("/datasets/{dataset_id}")
async def get_dataset(dataset_id: UUID, _caller: ViewerOf, session: Read) -> view.EvalDatasetRetrieved:
    """Get a dataset with all that is known of it."""
    return view.EvalDatasetRetrieved.of(await services.get_dataset(session, dataset_id))


@sync_router.post("/sync/datasets", dependencies=[may_take(SYNC_SECONDS)])
async def sync_datasets(
    _caller: PlatformManager, data: Data, query: Annotated[view.SyncQuery, Query()]
) -> view.DatasetsSynced:
    """Bring traits and datasets up to date with the manifest, now. For the platform's super administrators."""
    report = await data.sync(force=query.force_sync)
    return view.DatasetsSynced(**report.model_dump())
