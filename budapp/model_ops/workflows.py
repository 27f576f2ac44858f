"""How models come into the repository, and how their files are scanned."""

import re
from typing import Any
from uuid import UUID

from pydantic import ValidationError

from budapp.commons.access import Caller
from budapp.commons.database import ReadSession, WriteSession
from budapp.commons.errors import BadRequest, Conflict, NotFound
from budapp.commons.schemas import is_web_address
from budapp.commons.scopes import Scope
from budapp.integrations import budmodel
from budapp.integrations.budmodel import CloudExtraction, Extraction, LicenseReport, ModelInfo, ScanReport
from budapp.integrations.peers import Json, PeerCall, StepAnswer, read
from budapp.model_ops import creation, crud
from budapp.model_ops.editing import delete_files
from budapp.model_ops.models import Model
from budapp.model_ops.schemas import CloudModelPost, LocalModelPost, SecurityScanPost
from budapp.model_ops.services import name_objects
from budapp.model_ops.step_views import ModelSteps
from budapp.provider_ops.models import Provider, ProviderType
from budapp.provider_ops.services import find_cloud_model, find_provider
from budapp.workflow_ops.definitions import Definition, Events, Notice, Outcome, Run, Task

_HUB_NAME = r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,94}[A-Za-z0-9_])?"
_HUB_URI = re.compile(rf"(?!.*(?:--|\.\.)){_HUB_NAME}/{_HUB_NAME}(?<!\.git)")
_HUB = "huggingface"
_LOCAL_TITLES = {
    ProviderType.HUGGING_FACE: "Huggingface Model",
    ProviderType.URL: "URL",
    ProviderType.DISK: "Disk",
}


async def _check_cloud(session: WriteSession, caller: Caller, run: Run) -> None:
    provider = await _provider(session, run)
    if run.data.get("cloud_model_id"):
        await _check_offer(session, run)
    run.workflow.title = run.posted.get("name") or run.workflow.title
    await _check_free(session, caller, run, run.data.get("source"), run.data.get("uri"))
    run.workflow.icon = provider.icon if provider else run.workflow.icon


async def _provider(session: WriteSession, run: Run) -> Provider | None:
    if not run.data.get("provider_id"):
        return None
    provider = await find_provider(session, id=UUID(run.data["provider_id"]))
    if provider is None:
        raise NotFound("Provider not found", param="provider_id")
    if "provider_id" in run.posted:
        run.workflow.title = provider.name
        run.keep(source=provider.type)
    return provider


async def _check_offer(session: WriteSession, run: Run) -> None:
    offer = await find_cloud_model(session, UUID(run.data["cloud_model_id"]))
    if offer is None or str(offer.provider_id) != run.data.get("provider_id"):
        raise NotFound("Cloud model not found at this provider", param="cloud_model_id")
    if "cloud_model_id" in run.posted:
        run.workflow.title = offer.name
    run.data["uri"] = offer.uri


async def _check_free(session: WriteSession, caller: Caller, run: Run, source: str | None, uri: str | None) -> None:
    match await crud.taken(session, caller.tenant_id, run.data.get("name"), source, uri):
        case "name":
            raise Conflict(creation.NAME_TAKEN, param="name")
        case "uri" if run.data.get("cloud_model_id"):
            raise Conflict("The cloud model is already in the repository", param="cloud_model_id")
        case "uri":
            raise Conflict(creation.URI_TAKEN, param="uri")


async def _ask_about_cloud_model(session: ReadSession, run: Run) -> PeerCall:
    uri = run.data.get("uri")
    if run.data.get("cloud_model_id"):
        offer = await find_cloud_model(session, UUID(run.data["cloud_model_id"]))
        uri = offer.uri if offer else None
    if not uri:
        raise BadRequest("Missing required data: uri", param="uri")
    return budmodel.extract_cloud_model(uri)


async def _add_cloud_model(session: WriteSession, run: Run, answer: Any) -> Outcome:
    offer_id = run.data.get("cloud_model_id")
    offer = await find_cloud_model(session, UUID(offer_id)) if offer_id else None
    info, unread = _known(answer)
    model = creation.cloud_model(run, offer, info)
    model.unread_info = unread or None
    await creation.save(session, model)
    run.workflow.title = model.name
    status = {"status": "success", "message": "Model successfully added to the repository"}
    steps: list[Json] = [{"workflow_execution_status": status, "model_id": str(model.id)}, {"leaderboard": []}]
    return Outcome(steps, _added(model, run), {"model_id": str(model.id)})


def _known(answer: Any) -> tuple[ModelInfo | None, Json]:
    """Return what budmodel knows of the model; it is welcome, but nothing depends on it."""
    try:
        found, unread = read(CloudExtraction, answer)
    except ValidationError:
        return None, {}
    return found.model_info, unread


def _added(model: Model, run: Run) -> Notice:
    icon = model.icon or run.workflow.icon
    return Notice("model_onboarding_success", model.name, "Added to Repository", ("model", model.id), icon)


CLOUD_MODEL = Definition(
    type="cloud_model_onboarding",
    scope=Scope.MODEL_MANAGE,
    title="Cloud Model Onboarding",
    tag="Model Onboarding",
    cancelled="Successfully cancelled model onboarding.",
    fields=CloudModelPost.step_fields(),
    shows=ModelSteps,
    name_objects=name_objects,
    check=_check_cloud,
    tasks=(
        Task(
            needs=("provider_type", "provider_id", "tags", "name", "source"),
            request=_ask_about_cloud_model,
            results=_add_cloud_model,
            optional=True,
        ),
    ),
)


async def _check_local(session: WriteSession, caller: Caller, run: Run) -> None:
    provider_type, uri = run.data.get("provider_type"), run.data.get("uri")
    if run.data.get("proprietary_credential_id"):
        raise NotFound("Invalid credential found while adding model", param="proprietary_credential_id")
    if provider_type == ProviderType.HUGGING_FACE and run.data.get("icon"):
        raise BadRequest("Icon is not supported for HuggingFace models", param="icon")
    if uri:
        _check_uri(provider_type, uri)
    if "provider_type" in run.posted:
        await _set_provider(session, run, run.posted["provider_type"])
    if "name" in run.posted or "uri" in run.posted:
        await _check_free(session, caller, run, "local", uri)
    run.workflow.title = run.posted.get("name") or run.workflow.title


async def _set_provider(session: WriteSession, run: Run, provider_type: str) -> None:
    run.workflow.title = _LOCAL_TITLES[ProviderType(provider_type)]
    hub = await find_provider(session, type=_HUB)
    if provider_type == ProviderType.HUGGING_FACE and hub is not None:
        run.keep(provider_id=str(hub.id))
        run.workflow.icon = hub.icon


def _check_uri(provider_type: str | None, uri: str) -> None:
    if provider_type == ProviderType.HUGGING_FACE and not _HUB_URI.fullmatch(uri):
        raise BadRequest("A model of the hub is named owner/name, in Latin letters, digits, -, _ and .", param="uri")
    if provider_type == ProviderType.URL and not is_web_address(uri):
        raise BadRequest("Invalid url found", param="uri")
    if provider_type == ProviderType.DISK and ".." in uri.split("/"):
        raise BadRequest("Given local path does not exist", param="uri")


async def _ask_to_extract(_session: ReadSession, run: Run) -> PeerCall:
    data = run.data
    return budmodel.extract_model(name=data["name"], uri=data["uri"], provider_type=data["provider_type"])


async def _add_local_model(session: WriteSession, run: Run, result: Any) -> Outcome:
    extraction, unread = read(Extraction, result)
    model = creation.local_model(run, extraction)
    model.unread_info = unread or None
    await creation.save(session, model)
    creation.add_papers_and_license(session, model, extraction.model_info)
    step = {"model_id": str(model.id), "tags": model.tags, "description": model.description}
    return Outcome([step], _added(model, run), {"model_id": str(model.id)})


async def _delete_files(session: WriteSession, _run: Run, result: Any) -> None:
    """Have the files deleted that were fetched for nothing."""
    path = result.get("local_path") if isinstance(result, dict) else None
    if isinstance(path, str) and path:
        await delete_files(session, path)


LOCAL_MODEL = Definition(
    type="local_model_onboarding",
    scope=Scope.MODEL_MANAGE,
    title="Model Onboarding",
    tag="Model Onboarding",
    cancelled="Successfully cancelled model onboarding.",
    refusal="Unable to perform model extraction",
    fields=LocalModelPost.step_fields(),
    shows=ModelSteps,
    name_objects=name_objects,
    check=_check_local,
    tasks=(
        Task(
            needs=("provider_type", "name", "uri"),
            request=_ask_to_extract,
            results=_add_local_model,
            undo=_delete_files,
            events=Events(
                key="model_extraction_events",
                type="perform_model_extraction",
                steps=(
                    StepAnswer(id="validation", title="Validating the model URI"),
                    StepAnswer(id="model_download", title="Downloading the model"),
                    StepAnswer(id="model_extraction", title="Extracting the model info"),
                    StepAnswer(id="save_model", title="Saving the model to the registry"),
                ),
            ),
        ),
    ),
)


async def _check_scan(session: WriteSession, caller: Caller, run: Run) -> None:
    if not run.data.get("model_id"):
        return
    model = await crud.find_model(session, caller.tenant_id, UUID(run.data["model_id"]))
    if model is None:
        raise NotFound("Model not found", param="model_id")
    if model.provider_type == ProviderType.CLOUD_MODEL or not model.local_path:
        raise BadRequest("Security scan is only supported for local models", param="model_id")
    run.workflow.title, run.workflow.icon = model.name, model.icon


async def _ask_to_scan(session: ReadSession, run: Run) -> PeerCall:
    model = await crud.find_model(session, run.workflow.tenant_id, UUID(run.data["model_id"]))
    return budmodel.scan_model(model.local_path if model else None)


async def _keep_findings(session: WriteSession, run: Run, result: Any) -> Outcome:
    found = ScanReport.model_validate(result).scan_result
    model = await crud.find_model(session, run.workflow.tenant_id, UUID(run.data["model_id"]))
    if model is None:
        raise NotFound("The model was deleted in the meantime")
    scan = await creation.keep_findings(session, model, found)
    steps: list[Json] = [{"security_scan_result_id": str(scan.id)}, {"leaderboard": []}]
    target = ("model", model.id)
    notice = Notice("model_scan_success", model.name, "Scan is Completed", target, model.icon, scan.status)  # type: ignore[arg-type]
    return Outcome(steps, notice, {"security_scan_result_id": str(scan.id), "status": scan.status})


SECURITY_SCAN = Definition(
    type="model_security_scan",
    scope=Scope.MODEL_MANAGE,
    title="Security Scan",
    tag="Model Repository",
    cancelled="Successfully cancelled model security scan.",
    refusal="unable to perform model security scan request",
    keeps_draft=False,
    fields=SecurityScanPost.step_fields(),
    shows=ModelSteps,
    name_objects=name_objects,
    check=_check_scan,
    tasks=(
        Task(
            needs=("model_id",),
            request=_ask_to_scan,
            results=_keep_findings,
            events=Events(
                key="model_security_scan_events",
                type="perform_model_security_scan",
                also=("perform_model_scanning",),
                shown_as="perform_model_scanning",
                in_same_step=True,
                steps=(StepAnswer(id="security_scan", title="Performing the security scan"),),
            ),
        ),
    ),
)


async def _ask_about_license(_session: ReadSession, run: Run) -> PeerCall:
    return budmodel.read_license(run.data["license_source"])


async def _keep_faqs(session: WriteSession, run: Run, result: Any) -> Outcome:
    """Keep what was found, unless the model has got another license meanwhile, or none."""
    details = LicenseReport.model_validate(result).license_details
    found = await crud.license_of(session, UUID(run.data["model_id"]))
    if found is not None and found.path == run.data["license_source"]:
        creation.describe_license(found, details)
    return Outcome()


LICENSE_FAQS = Definition(
    type="license_faq_fetch",
    scope=Scope.MODEL_MANAGE,
    title="License FAQs",
    tag="Model Repository",
    refusal="Failed to fetch license faqs",
    keeps_draft=False,
    fields=("model_id", "license_source"),
    shows=ModelSteps,
    unshown=("license_source", "license_faq_events"),
    name_objects=name_objects,
    tasks=(
        Task(
            needs=("model_id", "license_source"),
            request=_ask_about_license,
            results=_keep_faqs,
            events=Events(
                key="license_faq_events",
                type="fetch_license_faqs",
                in_same_step=True,
                steps=(StepAnswer(id="fetch_license_faqs", title="Fetching License FAQs"),),
            ),
        ),
    ),
)

ALL = (CLOUD_MODEL, LOCAL_MODEL, SECURITY_SCAN, LICENSE_FAQS)
