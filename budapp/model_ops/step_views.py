"""What the steps of the workflows of models look like to browsers."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from budapp.commons.schemas import Schema
from budapp.workflow_ops.step_views import ExecutionStatus, Json, StepList, WorkflowSteps


class Mark(Schema):
    """A tag or a task."""

    name: str
    color: str


class ProviderBrief(Schema):
    id: UUID
    name: str
    icon: str | None = None
    type: str
    description: str | None = None


class CloudModelBrief(Schema):
    id: UUID
    name: str
    icon: str | None = None
    uri: str
    modality: list[str] | None = None


class ModelBrief(Schema):
    id: UUID
    name: str
    author: str | None = None
    description: str | None = None
    icon: str | None = None
    uri: str
    provider_type: str
    source: str
    model_size: int | None = None
    tags: list[Mark] | None = None
    tasks: list[Mark] | None = None
    is_present_in_model: bool = True
    provider: ProviderBrief | None = None
    created_at: datetime
    modified_at: datetime


class Issue(Schema):
    title: str | None = None
    source: str | None = Field(default=None, description="The file that it is in")
    severity: str | None = None
    description: str | None = None


class Issues(Schema):
    critical: list[Issue] = []
    high: list[Issue] = []
    medium: list[Issue] = []
    low: list[Issue] = []


class ScanResult(Schema):
    """What a security scan found; `status` is the highest severity, or `safe`."""

    id: UUID
    model_id: UUID
    status: str = Field(description="The highest severity that was found, or `safe`")
    total_issues: int
    total_scanned_files: int
    total_skipped_files: int
    low_severity_count: int
    medium_severity_count: int
    high_severity_count: int
    critical_severity_count: int
    scanned_files: list[str]
    model_issues: Issues
    created_at: datetime
    modified_at: datetime


class ModelSource(Schema):
    source: str | None = None


class ModelSteps(WorkflowSteps):
    """The steps by which models come in, and are scanned."""

    provider_type: str | None = None
    provider_id: UUID | None = None
    provider: ProviderBrief | None = None
    cloud_model_id: UUID | None = None
    cloud_model: CloudModelBrief | None = None
    model_id: UUID | None = None
    model: ModelBrief | None = None
    add_model_modality: list[str] | None = None
    modality: list[str] | None = None
    name: str | None = None
    uri: str | None = None
    icon: str | None = None
    author: str | None = None
    tags: list[Mark] | None = None
    description: str | None = None
    source: str | None = None
    model_source: str | None = None
    models: list[ModelSource] | None = None
    proprietary_credential_id: UUID | None = None
    workflow_execution_status: ExecutionStatus | None = None
    leaderboard: list[Json] | None = None
    security_scan_result_id: UUID | None = None
    security_scan_result: ScanResult | None = None
    model_extraction_events: StepList | None = Field(default=None, description="How budmodel fetches the model")
    model_security_scan_events: StepList | None = Field(default=None, description="How budmodel scans the model")
