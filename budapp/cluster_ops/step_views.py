"""What the steps of the workflows about clusters look like to browsers."""

from typing import Self
from uuid import UUID

from pydantic import Field, model_validator

from budapp.commons.schemas import Schema
from budapp.workflow_ops.step_views import ExecutionStatus, Json, Named, StepList, WorkflowSteps


class ClusterBrief(Named):
    cluster_id: UUID | None = Field(default=None, description="budcluster's id of the cluster")
    icon: str | None = None
    cluster_type: str | None = None
    cpu_total_workers: int | None = None
    gpu_total_workers: int | None = None
    hpu_total_workers: int | None = None


class DeployConfig(Schema):
    concurrent_requests: int | None = None
    avg_sequence_length: int | None = None
    avg_context_length: int | None = None
    per_session_tokens_per_sec: list[int] | None = None
    ttft: list[int] | None = None
    e2e_latency: list[int] | None = None


class SimulationSteps(WorkflowSteps):
    """The steps by which budsim looks for clusters."""

    deploy_config: DeployConfig | None = None
    simulator_id: str | None = None
    bud_simulator_events: StepList | None = Field(default=None, description="How budsim looks for clusters")


class ClusterSteps(SimulationSteps):
    """The steps by which clusters come and go."""

    name: str | None = None
    icon: str | None = None
    cluster_type: str | None = None
    server: str | None = Field(default=None, description="The address of the cluster's API, from its kubeconfig")
    ingress_url: str | None = None
    credential_id: UUID | None = None
    provider_id: UUID | None = None
    region: str | None = Field(default=None, description="The cloud's name of the region; null on premises")
    cluster: ClusterBrief | None = None
    workflow_execution_status: ExecutionStatus | None = Field(
        default=None, description="What came of the workflow, once it has ended"
    )
    recommended_clusters: list[Json] | None = Field(
        default=None, description="The clusters that budsim has found for guardrails, the cheapest first"
    )
    budserve_cluster_events: StepList | None = Field(default=None, description="How budcluster deploys, or measures")
    bud_serve_cluster_events: StepList | None = Field(
        default=None, description="The same as `budserve_cluster_events`, under the name that some screens read"
    )
    create_cluster_events: StepList | None = Field(default=None, description="How budcluster takes the cluster over")
    delete_cluster_events: StepList | None = Field(default=None, description="How budcluster deletes the cluster")

    @model_validator(mode="after")
    def _cluster_events_under_both_names(self) -> Self:
        self.bud_serve_cluster_events = self.budserve_cluster_events
        return self
