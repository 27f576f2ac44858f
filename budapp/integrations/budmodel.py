"""What budmodel answers and reports; it may say more than is read here."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

Json = dict[str, Any]


class _Answer(BaseModel):
    model_config = ConfigDict(extra="ignore")


class Faq(_Answer):
    question: str
    reason: list[str] | None = None
    impact: str | None = None


class LicenseInfo(_Answer):
    name: str | None = None
    url: str | None = None
    type: str | None = None
    description: str | None = None
    suitability: str | None = None
    faqs: list[Faq] | None = None


class PaperInfo(_Answer):
    title: str | None = None
    authors: list[str] | None = None
    url: str | None = None


class ModelTree(_Answer):
    base_model: list[str] | None = None
    is_finetune: bool = False
    is_adapter: bool = False
    is_quantization: bool = False
    is_merge: bool = False


class Architecture(_Answer):
    type: str | None = None
    family: str | None = None
    num_params: int | None = None
    model_weights_size: int | None = None
    kv_cache_size: int | None = None
    text_config: Json | None = None
    vision_config: Json | None = None
    audio_config: Json | None = None


class ModelInfo(_Answer):
    """What budmodel knows of a model."""

    author: str | None = None
    description: str | None = None
    uri: str | None = None
    modality: str = "llm"
    tags: list[str] | None = None
    tasks: list[str] | None = None
    papers: list[PaperInfo] | None = None
    github_url: str | None = None
    provider_url: str | None = None
    website_url: str | None = None
    logo_url: str | None = None
    license: LicenseInfo | None = None
    model_tree: ModelTree | None = None
    languages: list[str] | None = None
    use_cases: list[str] | None = None
    strengths: list[str] | None = None
    limitations: list[str] | None = None
    architecture: Architecture | None = None


class Extraction(_Answer):
    model_info: ModelInfo
    local_path: str = Field(min_length=1)


class ScanIssue(_Answer):
    title: str | None = None
    severity: str
    description: str | None = None
    source: str | None = None


class ScanFindings(_Answer):
    total_issues: int
    total_scanned: int
    total_skipped_files: int
    scanned_files: list[str]
    total_issues_by_severity: dict[str, int]
    model_issues: list[ScanIssue]


class ScanReport(_Answer):
    scan_result: ScanFindings


class LicenseDetails(_Answer):
    name: str | None = None
    type: str | None = None
    type_description: str | None = None
    type_suitability: str | None = None
    faqs: list[Faq] | None = None


class LicenseReport(_Answer):
    license_details: LicenseDetails
