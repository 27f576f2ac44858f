from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from budapp.commons.schemas import Answer, OptionalText, PageAnswer, Schema
from budapp.workflow_ops.schemas import WorkflowPost

Text = Annotated[str, StringConstraints(max_length=100)]
Percent = Annotated[int, Field(ge=0, le=100)]


class WorkerQuery(BaseModel):
    """Which workers are wanted, and whether budcluster is to look anew."""

    page: int = Field(default=1, ge=1, le=1_000_000)
    limit: int = Field(default=10, ge=1, le=1000)
    search: bool = False
    order_by: Annotated[str, StringConstraints(max_length=200)] | None = None
    refresh: bool = False
    status: OptionalText = Field(default=None, max_length=100)
    hardware: OptionalText = Field(default=None, max_length=100)
    utilization_min: Percent | None = None
    utilization_max: Percent | None = None


class WorkerView(Schema):
    id: UUID
    cluster_id: UUID | None = Field(description="budcluster's id of the cluster")
    namespace: str | None
    name: str
    status: str
    node_name: str
    device_name: str
    utilization: str | None = Field(
        description="How busy the device is in percent, as text; null where that is not known"
    )
    hardware: str = Field(description="`CPU` or `GPU`")
    uptime: str = Field(description="How long it has run, in words")
    last_restart_datetime: datetime | None
    last_updated_datetime: datetime | None
    created_datetime: datetime
    node_ip: str
    cores: int = Field(description="How many cores it has")
    memory: str = Field(description="Memory, in words")
    deployment_status: str | None = Field(description="How the deployment is, in budcluster's words")
    reason: str | None
    concurrency: int


class WorkerList(PageAnswer):
    object: Literal["worker.list"] = "worker.list"
    message: str = "Workers found"
    workers: list[WorkerView]


class WorkerRetrieved(Answer):
    object: Literal["worker.get"] = "worker.get"
    message: str = "Worker found"
    worker: WorkerView


class LogLineView(Schema):
    timestamp: datetime | None
    message: str | None


class WorkerLogs(Answer):
    object: Literal["worker.logs"] = "worker.logs"
    message: str = "Logs found"
    logs: list[LogLineView]


class WorkerUse(Schema):
    """What a worker uses: the values of each measure by the time in seconds; budcluster may know more than these."""

    model_config = ConfigDict(extra="allow")

    cpu_metrics: dict[str, float] | None = Field(
        default=None, description="Seconds since 1970 → CPU in use, as budcluster gives it"
    )
    memory_usage: dict[str, float] | float | None = Field(
        default=None, description="Seconds since 1970 → memory in use, as budcluster gives it; or just the last value"
    )


class WorkerMetrics(Answer):
    object: Literal["worker.metrics"] = "worker.metrics"
    message: str = "Metrics found"
    metrics: WorkerUse


class AddWorkerPost(WorkflowPost):
    """A step of adding workers to a deployment."""

    endpoint_id: UUID | None = None
    additional_concurrency: int | None = Field(default=None, ge=1, le=1_000_000)


class WorkerDeletion(Schema):
    endpoint_id: UUID
    worker_id: UUID
    worker_name: Annotated[str, StringConstraints(min_length=1, max_length=300)]


class WorkerDeletionPost(WorkflowPost):
    endpoint_id: UUID
    worker_id: UUID
    worker_name: str


class WorkerDeletionStarted(Answer):
    object: Literal["worker.delete"] = "worker.delete"
    message: str = "Worker deleting initiated successfully"
    workflow_id: UUID
