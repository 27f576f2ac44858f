from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BeforeValidator, Field, model_validator

from budapp.commons.crud import Page
from budapp.commons.paging import Paging
from budapp.commons.schemas import Answer, Color, OptionalText, PageAnswer, Schema
from budapp.guardrail_ops.models import GuardrailStatus
from budapp.guardrail_ops.policies import ClassifierConfig, Line, Long, PolicyConfig, Short
from budapp.provider_ops.models import ProviderType

GuardType = Literal["input", "output", "retrieval", "agent"]
Modality = Literal["text", "image", "audio", "video", "code"]
ScannerType = Literal["classifier", "llm", "pattern", "static_classifier"]
ProbeType = Literal["provider", "model_scanner", "custom"]
ProviderKind = Literal["cloud", "bud"]
Settable = Literal["active", "disabled"]
GuardTypes = Annotated[list[GuardType], Field(min_length=1, max_length=4)]
Modalities = Annotated[list[Modality], Field(min_length=1, max_length=5)]
Threshold = Annotated[float, Field(ge=0, le=1)]
ShortList = Annotated[list[Line], Field(max_length=50)]


class GuardrailTag(Schema):
    name: Short
    color: Color


Tags = Annotated[list[GuardrailTag], Field(max_length=50)]


def split(value: Any) -> Any:
    """Take a text with commas for the texts between them, in each of several texts too."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    if isinstance(value, list):
        return [part for one in value for part in split(one)]
    return value


Names = Annotated[list[Line], BeforeValidator(split), Field(max_length=50)]


class ProbeQuery(Paging):
    """`name` is looked for with `search`, else it must be the probe's; of several `tags` one is enough."""

    name: OptionalText = None
    provider_id: UUID | None = None
    provider_type: ProviderKind | None = None
    status: GuardrailStatus | None = None
    tags: Names = []


class RuleQuery(Paging):
    """`is_enabled` is whether the rule is active."""

    name: OptionalText = None
    status: GuardrailStatus | None = None
    is_enabled: bool | None = None


class TagQuery(Paging):
    name: OptionalText = None


class ProbeProvider(Schema):
    id: UUID
    name: str
    description: str | None
    type: str
    icon: str
    is_active: bool
    capabilities: list[str]


class GuardrailRuleView(Schema):
    id: UUID
    probe_id: UUID
    name: str
    uri: str
    description: str | None
    icon: str | None
    examples: list[str]
    status: GuardrailStatus
    guard_types: list[str]
    modality_types: list[str]
    scanner_type: str | None
    model_uri: str | None
    model_provider_type: str | None
    is_gated: bool
    model_config_json: dict[str, Any] | None
    model_id: UUID | None = None
    created_by: UUID | None
    created_at: datetime
    modified_at: datetime


class ProbeView(Schema):
    """A probe; what it can look at is what its rules can."""

    id: UUID
    name: str
    uri: str
    description: str | None
    icon: str | None
    tags: list[GuardrailTag]
    probe_type: ProbeType
    provider_type: ProviderKind
    provider_id: UUID
    provider_name: str
    provider: ProbeProvider
    status: GuardrailStatus
    is_custom: bool
    rule_count: int
    scanner_types: list[str]
    modality_types: list[str]
    guard_types: list[str]
    examples: list[str]
    created_by: UUID | None
    created_at: datetime
    modified_at: datetime

    @model_validator(mode="before")
    @classmethod
    def _name_provider(cls, value: Any) -> Any:
        found = dict(value) if isinstance(value, dict) else dict(value._mapping)
        return {"provider_name": found["provider"]["name"], "is_custom": found["created_by"] is not None, **found}


class ProbeDetail(ProbeView):
    """With its rules, where they were asked for: the first 1,000, by name."""

    rules: list[GuardrailRuleView] | None = None


class ProbeRetrieved(Answer):
    object: Literal["guardrail.probe.get"] = "guardrail.probe.get"
    message: str = "Probe found"
    probe: ProbeDetail
    rule_count: int


class ProbeCreated(ProbeRetrieved):
    object: Literal["guardrail.probe.create"] = "guardrail.probe.create"  # type: ignore[assignment]
    message: str = "Probe created"


class ProbeUpdated(ProbeRetrieved):
    object: Literal["guardrail.probe.update"] = "guardrail.probe.update"  # type: ignore[assignment]
    message: str = "Probe updated"


class ProbeList(PageAnswer):
    object: Literal["guardrail.probe.list"] = "guardrail.probe.list"
    message: str = "Probes found"
    probes: list[ProbeView]


class GuardrailRuleList(PageAnswer):
    object: Literal["guardrail.rule.list"] = "guardrail.rule.list"
    message: str = "Rules found"
    rules: list[GuardrailRuleView]


class RuleRetrieved(Answer):
    object: Literal["guardrail.rule.get"] = "guardrail.rule.get"
    message: str = "Rule found"
    rule: GuardrailRuleView


class GuardrailTagList(PageAnswer):
    object: Literal["guardrail.tag.list"] = "guardrail.tag.list"
    message: str = "Tags found"
    tags: list[GuardrailTag]


class Deleted(Answer):
    object: Literal["guardrail.delete"] = "guardrail.delete"
    message: str = "Deleted"


class ProbeCreate(Schema):
    """A probe of the tenant's own; its rules are added one by one."""

    name: Short
    provider_id: UUID
    provider_type: ProviderKind
    status: Settable = "active"
    description: Long | None = None
    icon: Line | None = None
    tags: Tags = []


class ProbeUpdate(Schema):
    """What is not sent stays."""

    name: Short | None = None
    description: Long | None = None
    tags: Tags | None = None
    status: Settable | None = None


class GuardrailRuleCreate(Schema):
    """A rule of a probe of one's own; with `model_uri`, a model sees what it looks for."""

    probe_id: UUID
    name: Short
    status: Settable = "active"
    description: Long | None = None
    icon: Line | None = None
    modality_types: Modalities = ["text"]
    guard_types: GuardTypes = ["input"]
    examples: ShortList = []
    scanner_type: ScannerType | None = None
    model_uri: Short | None = None
    model_provider_type: ProviderType | None = None
    is_gated: bool = False
    model_config_json: PolicyConfig | ClassifierConfig | None = None

    @model_validator(mode="after")
    def _model_is_whole(self) -> Self:
        if self.scanner_type in ("classifier", "llm") and self.model_uri is None:
            raise ValueError(f"a rule with a scanner of type {self.scanner_type} needs model_uri")
        if self.model_uri is not None and self.model_provider_type is None:
            raise ValueError("model_provider_type is required with model_uri")
        return self


class GuardrailRuleUpdate(Schema):
    """What is not sent stays."""

    name: Short | None = None
    description: Long | None = None
    modality_types: Modalities | None = None
    guard_types: GuardTypes | None = None
    examples: ShortList | None = None
    status: Settable | None = None


class CustomProbeCreate(Schema):
    """A probe with one rule, by a model of the tenant's."""

    name: Short
    description: Long | None = None
    scanner_type: Literal["classifier", "llm"]
    model_id: UUID
    model_config_data: PolicyConfig | ClassifierConfig

    @model_validator(mode="after")
    def _config_fits(self) -> Self:
        if isinstance(self.model_config_data, PolicyConfig) != (self.scanner_type == "llm"):
            raise ValueError("model_config_data must be a policy for llm, and head_mappings for classifier")
        return self


class CustomProbeUpdate(Schema):
    name: Short | None = None
    description: Long | None = None
    model_config_data: PolicyConfig | ClassifierConfig | None = None


class CustomProbeView(Schema):
    id: UUID
    name: str
    description: str | None
    icon: str | None
    probe_type: ProbeType
    scanner_type: str | None
    model_id: UUID | None
    model_uri: str | None
    model_config_json: dict[str, Any] | None
    guard_types: list[str]
    modality_types: list[str]
    status: GuardrailStatus
    created_at: datetime
    modified_at: datetime


class CustomProbeCreated(Answer):
    object: Literal["guardrail.custom_probe.create"] = "guardrail.custom_probe.create"
    message: str = "Custom probe created"
    probe: CustomProbeView


class CustomProbeUpdated(Answer):
    object: Literal["guardrail.custom_probe.update"] = "guardrail.custom_probe.update"
    message: str = "Custom probe updated"
    probe: CustomProbeView


class CustomProbeList(PageAnswer):
    object: Literal["guardrail.custom_probe.list"] = "guardrail.custom_probe.list"
    message: str = "Custom probes found"
    probes: list[CustomProbeView]


class RuleSelection(Schema):
    id: UUID
    status: Settable = "active"
    severity_threshold: Threshold | None = None
    guard_types: GuardTypes | None = None


class ProbeSelection(Schema):
    """A probe that is chosen: without rules all of it; with active ones just those; with disabled ones all others."""

    id: UUID
    rules: list[RuleSelection] | None = Field(default=None, max_length=1_000)
    severity_threshold: Threshold | None = None
    guard_types: GuardTypes | None = None
    enabled: bool | None = None
    cluster_config_override: dict[str, Any] | None = Field(
        default=None, max_length=100, description="What differs for the probe's model from the common deployment"
    )


Selections = Annotated[list[ProbeSelection], Field(min_length=1, max_length=100)]


class ProfileQuery(Paging):
    name: OptionalText = None
    project_id: UUID | None = None
    provider_id: UUID | None = None
    status: GuardrailStatus | None = None


class ProfileView(Schema):
    id: UUID
    name: str
    status: GuardrailStatus
    description: str | None
    tags: list[GuardrailTag]
    severity_threshold: float
    guard_types: list[str]
    probe_count: int
    deployment_count: int
    is_standalone: bool
    project_id: UUID
    created_by: UUID
    created_at: datetime
    modified_at: datetime


class ProfileList(PageAnswer):
    object: Literal["guardrail.profile.list"] = "guardrail.profile.list"
    message: str = "Profiles found"
    profiles: list[ProfileView]
    total_count: int = 0
    has_more: bool = False

    @classmethod
    def of(cls, page: Page) -> Self:
        rows = [ProfileView.model_validate(dict(row._mapping)) for row in page.rows]
        return cls(profiles=rows, **counted(page))


def counted(page: Page) -> dict[str, Any]:
    """Return a page's envelope with the names that some screens read."""
    more = page.paging.page * page.paging.limit < page.total
    return {**page.envelope(), "total_count": page.total, "has_more": more}


class ProfileRetrieved(Answer):
    object: Literal["guardrail.profile.get"] = "guardrail.profile.get"
    message: str = "Profile found"
    profile: ProfileView


class ProfileUpdated(Answer):
    object: Literal["guardrail.profile.update"] = "guardrail.profile.update"
    message: str = "Profile updated"
    profile: ProfileView


class ProfileUpdate(Schema):
    """What is not sent stays; `probe_selections` take the place of all that there were."""

    name: Short | None = None
    description: Long | None = None
    tags: Tags | None = None
    severity_threshold: Threshold | None = None
    guard_types: GuardTypes | None = None
    probe_selections: Selections | None = None


class ProfileProbeList(ProbeList):
    total_count: int = 0
    has_more: bool = False

    @classmethod
    def of(cls, page: Page) -> Self:
        rows = [ProbeView.model_validate(dict(row._mapping)) for row in page.rows]
        return cls(probes=rows, **counted(page))


class ProfileRuleView(GuardrailRuleView):
    """A rule as the profile has it; null is as the probe, or the profile, says."""

    severity_threshold: float | None
    own_guard_types: list[str] | None = Field(
        description="What the profile says for this rule; null where it says nothing"
    )


class ProfileRuleList(PageAnswer):
    object: Literal["guardrail.profile.rule.list"] = "guardrail.profile.rule.list"
    message: str = "Rules found"
    rules: list[ProfileRuleView]
    total_count: int = 0
    has_more: bool = False

    @classmethod
    def of(cls, page: Page) -> Self:
        rows = [ProfileRuleView.model_validate(dict(row._mapping)) for row in page.rows]
        return cls(rules=rows, **counted(page))


class DeploymentQuery(Paging):
    name: OptionalText = None
    status: str | None = Field(default=None, max_length=20)


class DeploymentView(Schema):
    id: UUID
    profile_id: UUID
    name: str
    description: str | None
    status: str
    created_by: UUID
    project_id: UUID
    project_name: str
    endpoint_id: UUID | None
    endpoint_name: str | None
    credential_id: UUID | None
    severity_threshold: float | None
    guard_types: list[str] | None
    created_at: datetime
    modified_at: datetime


class GuardrailDeploymentList(PageAnswer):
    object: Literal["guardrail.deployment.list"] = "guardrail.deployment.list"
    message: str = "Deployments found"
    deployments: list[DeploymentView]
    total_count: int = 0
    has_more: bool = False

    @classmethod
    def of(cls, page: Page) -> Self:
        rows = [DeploymentView.model_validate(dict(row._mapping)) for row in page.rows]
        return cls(deployments=rows, **counted(page))


class DeploymentRetrieved(Answer):
    object: Literal["guardrail.deployment.get"] = "guardrail.deployment.get"
    message: str = "Deployment found"
    deployment: DeploymentView


class DeploymentUpdated(Answer):
    object: Literal["guardrail.deployment.update"] = "guardrail.deployment.update"
    message: str = "Deployment updated"
    deployment: DeploymentView


class DeploymentUpdate(Schema):
    """What is not sent stays; null is as the profile says."""

    name: Short | None = None
    description: Long | None = None
    severity_threshold: Threshold | None = None
    guard_types: GuardTypes | None = None


class RuleProgress(Schema):
    """A model that a rule of the deployment works with, and how that one is."""

    rule_id: UUID
    rule_name: str
    endpoint_id: UUID
    endpoint_name: str
    status: str


class DeploymentProgress(Answer):
    object: Literal["guardrail.deployment.progress"] = "guardrail.deployment.progress"
    message: str = "Progress found"
    deployment_id: UUID
    status: str
    ready: int = Field(description="How many of the models run")
    total: int = Field(description="How many models the rules work with")
    rules: list[RuleProgress]
