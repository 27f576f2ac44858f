from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator

from budapp.cluster_ops.models import ClusterStatus, ClusterType
from budapp.commons.paging import Paging
from budapp.commons.schemas import Answer, Name, OptionalText, PageAnswer, Schema, WebAddress
from budapp.workflow_ops.schemas import WorkflowPost

HardwareType = Literal["CPU", "GPU", "HPU"]
Icon = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
Region = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]


class ClusterQuery(Paging):
    """With `search`, `name` is looked for in names; without, it must be the cluster's name."""

    name: OptionalText = None
    status: ClusterStatus | None = None
    cluster_type: ClusterType | None = None
    hardware_type: list[HardwareType] | None = Field(default=None, max_length=3)


class ClusterView(Schema):
    """A cluster; budcluster knows it by `cluster_id`. Workers are devices that deployments can run on."""

    id: UUID
    cluster_id: UUID | None = Field(description="budcluster's id of the cluster; null until it has one")
    name: str
    icon: str
    ingress_url: str | None
    cluster_type: ClusterType
    status: ClusterStatus
    reason: str | None
    status_sync_at: datetime | None = Field(description="When budcluster told the status last")
    created_at: datetime
    modified_at: datetime
    region: str | None = Field(description="The cloud's name of the region; null on premises")
    cloud_provider_id: UUID | None = Field(description="The cloud provider; null on premises")
    cpu_count: int = Field(description="How many CPU devices there are")
    gpu_count: int = Field(description="How many GPU devices there are")
    hpu_count: int = Field(description="How many HPU devices there are")
    cpu_total_workers: int
    cpu_available_workers: int
    gpu_total_workers: int
    gpu_available_workers: int
    hpu_total_workers: int
    hpu_available_workers: int
    total_nodes: int
    available_nodes: int
    hardware_type: list[HardwareType]
    endpoint_count: int
    total_endpoints_count: int = Field(default=0, description="The same as `endpoint_count`")
    running_endpoints_count: int
    total_workers_count: int = Field(description="How many replicas of deployments there are on it")
    active_workers_count: int = Field(description="How many replicas of deployments run on it")

    @model_validator(mode="after")
    def _count_under_both_names(self) -> Self:
        self.total_endpoints_count = self.endpoint_count
        return self


class ClusterList(PageAnswer):
    object: Literal["cluster.list"] = "cluster.list"
    message: str = "Clusters found"
    clusters: list[ClusterView]


class ClusterRetrieved(Answer):
    object: Literal["cluster.get"] = "cluster.get"
    message: str = "Cluster found"
    cluster: ClusterView

    @classmethod
    def of(cls, row: Any) -> Self:
        """Return the answer with the row."""
        return cls(cluster=ClusterView.model_validate(row))


class ClusterEdited(ClusterRetrieved):
    object: Literal["cluster.edit"] = "cluster.edit"  # type: ignore[assignment]
    message: str = "Cluster updated"


class ClusterEdit(Schema):
    """What is to change; what is left out stays."""

    name: Name | None = None
    icon: Icon | None = None
    ingress_url: WebAddress | None = None


class ClusterPost(WorkflowPost):
    """A step of onboarding a cluster; `configuration_yaml` is the kubeconfig as it was checked."""

    name: Name | None = None
    icon: Icon | None = None
    cluster_type: ClusterType | None = None
    ingress_url: WebAddress | None = None
    configuration_yaml: str | None = Field(default=None, repr=False)
    server: str | None = None
    credential_id: UUID | None = None
    provider_id: UUID | None = None
    region: Region | None = None


class ClusterDeletionPost(WorkflowPost):
    """The one step of deleting a cluster."""

    delete_cluster_id: UUID


class CancelRequest(Schema):
    workflow_id: UUID


class OnboardingCancelled(Answer):
    object: Literal["cluster.onboarding.cancel"] = "cluster.onboarding.cancel"
    message: str = "Cluster onboarding cancelled"


class DeletionStarted(Answer):
    object: Literal["cluster.delete"] = "cluster.delete"
    message: str = "The cluster is being deleted"
    workflow_id: UUID
