from datetime import datetime
from typing import Literal
from uuid import UUID

from budapp.cluster_ops.models import ClusterStatus
from budapp.commons.paging import Paging
from budapp.commons.schemas import OptionalText, PageAnswer, Schema

HardwareType = Literal["CPU", "GPU", "HPU"]


class ProjectClusterQuery(Paging):
    name: OptionalText = None
    status: ClusterStatus | None = None


class ProjectCluster(Schema):
    """A cluster, and how much of it the project's deployments use."""

    id: UUID
    name: str
    endpoint_count: int
    hardware_type: list[HardwareType]
    node_count: int
    worker_count: int
    status: ClusterStatus
    created_at: datetime
    modified_at: datetime


class ProjectClusterList(PageAnswer):
    object: Literal["project.clusters.list"] = "project.clusters.list"
    message: str = "Clusters found"
    clusters: list[ProjectCluster]
