"""Models, of the repository and of clouds; `workflows.py` has how they come in."""

from datetime import datetime
from typing import Any
from uuid import UUID

from budapp.commons.access import Caller
from budapp.commons.crud import Page
from budapp.commons.database import ReadSession, WriteSession, now
from budapp.commons.errors import BadRequest, Conflict
from budapp.commons.hooks import hooks_of
from budapp.model_ops import crud, hooks
from budapp.model_ops.creation import NAME_TAKEN
from budapp.model_ops.crud import ModelCrud
from budapp.model_ops.license_files import LicenseFiles
from budapp.model_ops.models import License, LicenseKind, Model
from budapp.model_ops.schemas import (
    AuthorQuery,
    LicenseView,
    MarkQuery,
    ModelDetail,
    ModelList,
    ModelListed,
    ModelQuery,
    ModelReport,
    ModelTree,
    ModelView,
)
from budapp.model_ops.step_views import CloudModelBrief, ModelBrief, ProviderBrief, ScanResult
from budapp.provider_ops.models import Provider
from budapp.workflow_ops.step_views import StepObjects

_NAMED = ("model_id", "provider_id", "cloud_model_id", "security_scan_result_id")


async def list_models(session: ReadSession, caller: Caller, query: ModelQuery) -> ModelList:
    """Return a page of the tenant's models, or of those that clouds offer.

    Raises:
        BadRequest: a filter that does not fit the models of clouds.
    """
    models = ModelCrud(session, caller)
    if query.table_source == "cloud_model":
        _check_fits_clouds(query)
    if query.table_source == "model":
        page = await models.page_of_models(query)
    else:
        page = await models.page_of_cloud_models(query)
    listed = [_listed(row._mapping) for row in page.rows]
    return ModelList(models=listed, **page.envelope())


async def list_tags(session: ReadSession, caller: Caller, query: MarkQuery) -> Page:
    """Return a page of the tags that the tenant's models bear."""
    return await ModelCrud(session, caller).page_of_marks("tags", query)


async def list_tasks(session: ReadSession, caller: Caller, query: MarkQuery) -> Page:
    """Return a page of the tasks that the tenant's models are for."""
    return await ModelCrud(session, caller).page_of_marks("tasks", query)


async def list_authors(session: ReadSession, caller: Caller, query: AuthorQuery) -> Page:
    """Return a page of the authors of the tenant's models."""
    return await ModelCrud(session, caller).page_of_authors(query)


async def reach_model(session: ReadSession, caller: Caller, model_id: UUID) -> Model:
    """Return the tenant's model, or raise `NotFound`."""
    return await ModelCrud(session, caller).get(model_id)


async def get_model(session: ReadSession, caller: Caller, files: LicenseFiles, model_id: UUID) -> ModelReport:
    """Return all that is known of a model of the tenant.

    Raises:
        NotFound: no such model, or another tenant's.
    """
    models = ModelCrud(session, caller)
    row = await models.with_all(model_id)
    model, provider, license, scan, creator = row[:5]
    columns = {name: getattr(model, name) for name in Model.__table__.columns.keys()}  # noqa: SIM118 - not a mapping
    detail = ModelDetail.model_validate(
        {
            **columns,
            "icon": model.icon or (provider.icon if provider else None),
            "provider": provider,
            "is_present_in_model": True,
            "model_licenses": _license(license, files) if license else None,
            "paper_published": row.papers,
            "created_user": creator,
            "model_cluster_recommended": row.model_cluster_recommended,
        }
    )
    tree = ModelTree(
        adapters_count=row.adapter,
        finetunes_count=row.finetune,
        merges_count=row.merge,
        quantizations_count=row.quantized,
    )
    found = ScanResult.model_validate(scan) if scan else None
    evaluated = await hooks_of(session).one(hooks.eval_result)(session, caller, model_id)
    return ModelReport(
        model=detail,
        scan_result=found,
        eval_result=evaluated,
        model_tree=tree,
        endpoints_count=row.endpoints_count,
    )


async def name_objects(session: ReadSession, tenant_id: UUID, data: dict[str, Any]) -> StepObjects:
    """Return the models, providers and scan results that the steps of a workflow name; in one statement, or none."""
    ids = {name: UUID(data[name]) if data.get(name) else None for name in _NAMED}
    if not any(ids.values()):
        return {}
    model, own_provider, provider, cloud_model, scan = await crud.named(session, tenant_id, ids)
    return {
        "model": _brief(model, own_provider) if model else None,
        "provider": ProviderBrief.model_validate(provider) if provider else None,
        "cloud_model": CloudModelBrief.model_validate(cloud_model) if cloud_model else None,
        "security_scan_result": ScanResult.model_validate(scan) if scan else None,
    }


async def find_model(session: ReadSession, tenant_id: UUID, model_id: UUID) -> Model | None:
    """Return the tenant's model."""
    return await crud.find_model(session, tenant_id, model_id)


async def begin_recommendation(session: WriteSession, model_id: UUID, before: datetime) -> Model | None:
    """Note that a cluster is looked for from now on, and return the model.

    None where it was noted since `before` already, or somebody else is about to, or the model is gone.
    """
    model = await crud.lock_unrecommended(session, model_id, before)
    if model is not None:
        model.recommended_cluster_sync_at = now()
    return model


async def check_name_free(session: ReadSession, tenant_id: UUID, name: str) -> None:
    """Raise `Conflict` where a model of the tenant has the name."""
    if await crud.taken(session, tenant_id, name, None, None):
        raise Conflict(NAME_TAKEN, param="name")


async def brief_of(session: ReadSession, tenant_id: UUID, model_id: UUID) -> ModelBrief | None:
    """Return what a workflow shows of the tenant's model."""
    nothing = dict.fromkeys(_NAMED)
    model, provider, *_ = await crud.named(session, tenant_id, {**nothing, "model_id": model_id})
    return _brief(model, provider) if model else None


def _check_fits_clouds(query: ModelQuery) -> None:
    for name in ("author", "base_model", "base_model_relation"):
        if getattr(query, name):
            raise BadRequest(f"Cloud models can't be filtered by {name}", param=name)


def _license(license: License, files: LicenseFiles) -> LicenseView:
    shown = LicenseView.model_validate(license)
    if license.data_type == LicenseKind.MINIO and license.path:
        shown.path = files.link(license.path, shown.name)
        shown.url = files.address(shown.path)
    return shown


def _brief(model: Model, provider: Provider | None) -> ModelBrief:
    names = ("id", "name", "author", "description", "icon", "uri", "provider_type", "source", "model_size", "tags")
    found = {name: getattr(model, name) for name in (*names, "tasks", "created_at", "modified_at")}
    return ModelBrief.model_validate({**found, "provider": provider})


def _listed(row: Any) -> ModelListed:
    provider = {name.removeprefix("provider__"): row[name] for name in row if name.startswith("provider__")}
    model = {
        "icon": provider["icon"],
        "is_present_in_model": True,
        **{name: value for name, value in row.items() if value is not None or name != "icon"},
        "provider": provider if provider["id"] else None,
    }
    view = ModelView.model_validate(model)
    return ModelListed(id=view.id, name=view.name, model=view, endpoints_count=row.get("endpoints_count", 0))
