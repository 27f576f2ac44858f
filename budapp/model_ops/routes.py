from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, BackgroundTasks, Depends, Query

from budapp.commons.access import Caller, Requires, RequiresOrPeer, service_accounts_may
from budapp.commons.database import Read, Write
from budapp.commons.deadlines import TRIGGER_SECONDS, UPLOAD_SECONDS, may_take
from budapp.commons.idempotency import IdempotentRoute
from budapp.commons.query_parameters import ignores
from budapp.commons.scopes import Scope
from budapp.integrations.dapr import DaprDep
from budapp.model_ops import editing, leaderboards, services, workflows
from budapp.model_ops.forms import edit_form
from budapp.model_ops.leaderboards import ComparisonRequest, Leaderboard, LeaderboardQuery, ModelComparison
from budapp.model_ops.license_files import LicenseFilesDep
from budapp.model_ops.schemas import (
    AuthorList,
    AuthorQuery,
    CloudModelPost,
    LocalModelPost,
    MarkQuery,
    ModelDeleted,
    ModelEdit,
    ModelEdited,
    ModelList,
    ModelQuery,
    ModelRetrieved,
    ModelTagList,
    SecurityScanPost,
    TaskList,
)
from budapp.workflow_ops.schemas import WorkflowRetrieved
from budapp.workflow_ops.services import WorkflowsDep

router = APIRouter(prefix="/models", tags=["models"], route_class=IdempotentRoute, dependencies=[service_accounts_may])

Viewer = Annotated[Caller, Depends(Requires(Scope.MODEL_VIEW))]
Manager = Annotated[Caller, Depends(Requires(Scope.MODEL_MANAGE))]
ManagerOrPeer = Annotated[Caller, Depends(RequiresOrPeer(Scope.MODEL_MANAGE))]
RankReader = Annotated[Caller, Depends(Requires(Scope.MODEL_VIEW, row=leaderboards.ranked_model))]
Editor = Annotated[Caller, Depends(Requires(Scope.MODEL_MANAGE, row=services.reach_model))]
ReaderOrPeer = Annotated[Caller, Depends(RequiresOrPeer(Scope.MODEL_VIEW, row=services.reach_model))]
RemoverOrPeer = Annotated[Caller, Depends(RequiresOrPeer(Scope.MODEL_MANAGE, row=services.reach_model))]


@router.get("/")
async def list_models(caller: Viewer, session: Read, query: Annotated[ModelQuery, Query()]) -> ModelList:
    """List the models of the repository (`table_source=model`), or the cloud models."""
    return await services.list_models(session, caller, query)


@router.get("/tags")
async def list_tags(caller: Viewer, session: Read, query: Annotated[MarkQuery, Query()]) -> ModelTagList:
    """List the distinct tags of the models in the repository."""
    return ModelTagList.of(await services.list_tags(session, caller, query))


@router.get("/tasks")
async def list_tasks(caller: Viewer, session: Read, query: Annotated[MarkQuery, Query()]) -> TaskList:
    """List the distinct tasks of the models in the repository."""
    return TaskList.of(await services.list_tasks(session, caller, query))


@router.get("/authors")
async def list_authors(caller: Viewer, session: Read, query: Annotated[AuthorQuery, Query()]) -> AuthorList:
    """List the distinct authors of the models in the repository."""
    return AuthorList.of(await services.list_authors(session, caller, query))


@router.post("/top-leaderboards")
async def compare_models(data: ComparisonRequest, caller: Viewer, session: Read, dapr: DaprDep) -> ModelComparison:
    """Compare models of the repository by benchmarks."""
    return await leaderboards.compare(session, caller, dapr, data)


@router.get("/{model_id}/leaderboards")
async def get_leaderboard(
    model_id: UUID, caller: RankReader, session: Read, dapr: DaprDep, query: Annotated[LeaderboardQuery, Query()]
) -> Leaderboard:
    """Return a model's public benchmark results, beside those of similar models."""
    return await leaderboards.leaderboard(session, caller, dapr, model_id, query)


@router.get("/{model_id}")
async def get_model(model_id: UUID, caller: ReaderOrPeer, session: Read, files: LicenseFilesDep) -> ModelRetrieved:
    """Return a model."""
    return ModelRetrieved.model_validate(await services.get_model(session, caller, files, model_id))


@router.patch("/{model_id}", dependencies=[may_take(UPLOAD_SECONDS)])
async def edit_model(
    model_id: UUID,
    caller: Editor,
    edit: Annotated[ModelEdit, Depends(edit_form)],
    session: Write,
    files: LicenseFilesDep,
    flows: WorkflowsDep,
    background: BackgroundTasks,
) -> ModelEdited:
    """Update a model; a new license is analysed by budmodel in the background."""
    license = await editing.edit_model(session, caller, files, model_id, edit)
    if license is not None:
        facts = {"license_id": str(license.id), "model_id": str(model_id), "license_source": license.path}
        who = {"tenant_id": caller.tenant_id, "user_id": caller.user_id}
        background.add_task(flows.carry_out, await flows.start(session, workflows.LICENSE_FAQS.type, facts, **who))
    return ModelEdited.model_validate(await services.get_model(session, caller, files, model_id))


@router.delete("/{model_id}", dependencies=[ignores("force")])
async def delete_model(model_id: UUID, caller: RemoverOrPeer, session: Write) -> ModelDeleted:
    """Delete a model that is not deployed; its files are deleted soon after."""
    await editing.delete_model(session, caller, model_id)
    return ModelDeleted()


@router.post("/cloud-model-workflow", dependencies=[may_take(TRIGGER_SECONDS)])
async def add_cloud_model(data: CloudModelPost, caller: ManagerOrPeer, flows: WorkflowsDep) -> WorkflowRetrieved:
    """Post a step of adding a cloud model; the step that triggers adds it."""
    return await flows.post(caller, workflows.CLOUD_MODEL.type, data)


@router.post("/local-model-workflow", dependencies=[may_take(TRIGGER_SECONDS)])
async def add_local_model(data: LocalModelPost, caller: ManagerOrPeer, flows: WorkflowsDep) -> WorkflowRetrieved:
    """Post a step of adding a local model; the step that triggers has budmodel download and analyse it."""
    return await flows.post(caller, workflows.LOCAL_MODEL.type, data)


@router.post("/security-scan", dependencies=[may_take(TRIGGER_SECONDS)])
async def scan_model(data: SecurityScanPost, caller: Manager, flows: WorkflowsDep) -> WorkflowRetrieved:
    """Post a step of a model's security scan; the step that triggers has budmodel run it."""
    return await flows.post(caller, workflows.SECURITY_SCAN.type, data)
