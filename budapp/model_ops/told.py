"""What budmodel tells; it may tell more than is read here."""

from pydantic import BaseModel, ConfigDict, Field

from budapp.workflow_ops.step_views import Json


class _Told(BaseModel):
    model_config = ConfigDict(extra="ignore")


class ToldFaq(_Told):
    question: str
    reason: list[str] | None = None
    impact: str | None = None


class ToldLicense(_Told):
    name: str | None = None
    url: str | None = None
    type: str | None = None
    description: str | None = None
    suitability: str | None = None
    faqs: list[ToldFaq] | None = None


class ToldPaper(_Told):
    title: str | None = None
    authors: list[str] | None = None
    url: str | None = None


class ToldTree(_Told):
    base_model: list[str] | None = None
    is_finetune: bool = False
    is_adapter: bool = False
    is_quantization: bool = False
    is_merge: bool = False


class ToldArchitecture(_Told):
    type: str | None = None
    family: str | None = None
    num_params: int | None = None
    model_weights_size: int | None = None
    kv_cache_size: int | None = None
    text_config: Json | None = None
    vision_config: Json | None = None
    audio_config: Json | None = None


class ToldModel(_Told):
    """What budmodel knows of a model."""

    author: str | None = None
    description: str | None = None
    uri: str | None = None
    modality: str = "llm"
    tags: list[str] | None = None
    tasks: list[str] | None = None
    papers: list[ToldPaper] | None = None
    github_url: str | None = None
    provider_url: str | None = None
    website_url: str | None = None
    logo_url: str | None = None
    license: ToldLicense | None = None
    model_tree: ToldTree | None = None
    languages: list[str] | None = None
    use_cases: list[str] | None = None
    strengths: list[str] | None = None
    limitations: list[str] | None = None
    architecture: ToldArchitecture | None = None


class ToldExtraction(_Told):
    model_info: ToldModel
    local_path: str = Field(min_length=1)


class ToldIssue(_Told):
    title: str | None = None
    severity: str
    description: str | None = None
    source: str | None = None


class ToldFindings(_Told):
    total_issues: int
    total_scanned: int
    total_skipped_files: int
    scanned_files: list[str]
    total_issues_by_severity: dict[str, int]
    model_issues: list[ToldIssue]


class ToldScan(_Told):
    scan_result: ToldFindings


class ToldLicenseDetails(_Told):
    name: str | None = None
    type: str | None = None
    type_description: str | None = None
    type_suitability: str | None = None
    faqs: list[ToldFaq] | None = None


class ToldLicenseFaqs(_Told):
    license_details: ToldLicenseDetails
