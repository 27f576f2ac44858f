"""What budcluster tells of deployments, every few minutes and whenever one changes."""

from uuid import UUID

from pydantic import Field

from budapp.integrations.peers import Reply

STATUS_EVENTS = "deployment-status-update"


class ReportedWorker(Reply):
    """A worker, as a report tells of it."""

    status: str = ""
    node_name: str = ""
    reason: str | None = None

    @property
    def runs(self) -> bool:
        """Tell whether it runs."""
        return self.status.lower() == "running"


class DeploymentReport(Reply):
    """How a deployment is; `deployment_name` is its namespace in the cluster."""

    deployment_name: str = Field(min_length=1, max_length=300)
    cluster_id: UUID
    status: str
    reason: str | None = None
    worker_data_list: list[ReportedWorker] | None = Field(default=None, max_length=10_000)

    @property
    def why(self) -> str | None:
        """The reason that is given: of the deployment, or of the first worker that does not run."""
        reasons = (worker.reason for worker in self.worker_data_list or () if not worker.runs)
        return self.reason or next(filter(None, reasons), None)
