"""Makes the rows of models out of what people and budmodel say."""

from typing import Any
from uuid import UUID

from pydantic import BaseModel
from uuid_utils.compat import uuid7

from budapp.commons.database import WriteSession
from budapp.commons.errors import Conflict
from budapp.commons.integrity import conflict_on
from budapp.integrations.budmodel import (
    Architecture,
    Extraction,
    Faq,
    LicenseDetails,
    LicenseInfo,
    ModelInfo,
    ModelTree,
    ScanFindings,
)
from budapp.model_ops import crud
from budapp.model_ops.models import License, Model, Paper, SecurityScan
from budapp.provider_ops.modalities import endpoints_of, of_keyword
from budapp.provider_ops.models import CloudModel, ProviderType
from budapp.provider_ops.tags import colored
from budapp.workflow_ops.definitions import Run

NAME_TAKEN = "A model with this name already exists; choose another name"
URI_TAKEN = "A model with this uri already exists"
_SEVERITIES = ("critical", "high", "medium", "low")
_TEXTS = ("github_url", "website_url", "languages", "use_cases", "strengths", "limitations")


def cloud_model(run: Run, offer: CloudModel | None, info: ModelInfo | None) -> Model:
    """Return the model that the steps describe, with what the offer and budmodel add."""
    data = run.data
    modality = list(data.get("modality") or (offer.modality if offer else of_keyword(_first(data))[0]))
    facts = {name: getattr(offer, name, None) for name in ("tasks", "author", "model_size", "max_input_tokens")}
    model = _model(run, info)
    model.uri = offer.uri if offer else data["uri"]
    model.source, model.provider_type = data["source"], ProviderType.CLOUD_MODEL
    model.description = model.description or getattr(offer, "description", None)
    model.modality = modality
    model.supported_endpoints = list(offer.supported_endpoints) if offer else endpoints_of(modality)
    model.tags = data["tags"]
    for name, value in facts.items():
        setattr(model, name, value if value is not None else getattr(model, name))
    return model


def local_model(run: Run, extraction: Extraction) -> Model:
    """Return the model whose files budmodel has fetched."""
    data, info = run.data, extraction.model_info
    model = _model(run, info)
    model.uri, model.source, model.local_path = data["uri"], "local", extraction.local_path
    model.provider_type = data["provider_type"]
    model.author = info.author or data.get("author")
    model.modality, model.supported_endpoints = of_keyword(info.modality)
    own = data.get("tags") or []
    known = {tag["name"].lower() for tag in own}
    model.tags = [*own, *(tag for tag in colored(info.tags) if tag["name"].lower() not in known)]
    model.icon = data.get("icon") or run.workflow.icon
    if model.provider_type == ProviderType.HUGGING_FACE:
        model.huggingface_url = f"https://huggingface.co/{model.uri}"
    return model


async def save(session: WriteSession, model: Model) -> None:
    """Put the model into the repository.

    Raises:
        Conflict: there is one of this name, or from there, already.
    """
    session.add(model)
    by_name, by_uri = Conflict(NAME_TAKEN, param="name"), Conflict(URI_TAKEN, param="uri")
    with conflict_on("uq_model_name", by_name), conflict_on("uq_model_source_uri", by_uri):
        await session.flush()


def add_papers_and_license(session: WriteSession, model: Model, info: ModelInfo) -> None:
    """Add what budmodel has found about the model."""
    mine = {"tenant_id": model.tenant_id, "model_id": model.id}
    session.add_all(Paper(**mine, **paper.model_dump()) for paper in info.papers or [])
    if info.license is not None:
        session.add(License(**mine, **_license(info.license)))


async def keep_findings(session: WriteSession, model: Model, found: ScanFindings) -> SecurityScan:
    """Keep what a scan has found, in place of what the one before did."""
    scan = await crud.scan_of(session, model.id)
    if scan is None:
        scan = SecurityScan(id=uuid7(), tenant_id=model.tenant_id, model_id=model.id)
        session.add(scan)
    counts = {name.lower(): count for name, count in found.total_issues_by_severity.items()}
    scan.status = next((name for name in _SEVERITIES if counts.get(name)), "safe")
    scan.total_issues, scan.total_scanned_files = found.total_issues, found.total_scanned
    scan.total_skipped_files, scan.scanned_files = found.total_skipped_files, found.scanned_files
    for name in _SEVERITIES:
        setattr(scan, f"{name}_severity_count", counts.get(name, 0))
    issues = [issue.model_dump() for issue in found.model_issues]
    scan.model_issues = {name: [issue for issue in issues if issue["severity"].lower() == name] for name in _SEVERITIES}
    model.scan_verified = scan.status == "safe"
    await session.flush()
    return scan


def describe_license(license: License, info: LicenseDetails) -> None:
    """Add what budmodel has read in the license; its own name stays where budmodel knows none."""
    license.name = info.name or license.name
    license.license_type, license.faqs = info.type, _faqs(info.faqs)
    license.description, license.suitability = info.type_description, info.type_suitability


def _model(run: Run, info: ModelInfo | None) -> Model:
    info = info or ModelInfo()
    built = info.architecture or Architecture()
    relation, base = _lineage(info.model_tree or ModelTree())
    return Model(
        id=uuid7(),
        tenant_id=run.workflow.tenant_id,
        created_by=run.workflow.created_by,
        name=run.data["name"],
        description=info.description,
        author=info.author,
        tasks=colored(info.tasks),
        provider_id=UUID(run.data["provider_id"]) if run.data.get("provider_id") else None,
        base_model=base,
        base_model_relation=relation,
        model_type=built.type,
        family=built.family,
        model_size=built.num_params,
        model_weights_size=built.model_weights_size,
        kv_cache_size=built.kv_cache_size,
        architecture_text_config=_config(built.text_config),
        architecture_vision_config=_config(built.vision_config),
        architecture_audio_config=_config(built.audio_config),
        **{name: getattr(info, name) for name in _TEXTS},
    )


def _config(config: BaseModel | None) -> dict[str, Any] | None:
    return config.model_dump(exclude_unset=True) if config is not None else None


def _lineage(tree: ModelTree) -> tuple[str | None, list[str] | None]:
    kinds = (
        (tree.is_finetune, "finetune"),
        (tree.is_adapter, "adapter"),
        (tree.is_quantization, "quantized"),
        (tree.is_merge, "merge"),
    )
    return next((kind for found, kind in kinds if found), None), tree.base_model


def _license(info: LicenseInfo) -> dict[str, Any]:
    return {
        "name": info.name,
        "url": info.url,
        "path": info.url,
        "faqs": _faqs(info.faqs),
        "license_type": info.type,
        "description": info.description,
        "suitability": info.suitability,
        "data_type": "url",
    }


def _faqs(faqs: list[Faq] | None) -> list[dict[str, Any]]:
    return [
        {"question": faq.question, "answer": faq.impact == "POSITIVE", "description": " ".join(faq.reason or [])}
        for faq in faqs or []
    ]


def _first(data: dict[str, Any]) -> str:
    keywords = data.get("add_model_modality") or ["llm"]
    return str(keywords[0])
