"""What the steps of a benchmark look like to browsers."""

from uuid import UUID

from pydantic import Field

from budapp.cluster_ops.step_views import ClusterSteps
from budapp.model_ops.step_views import ModelSteps
from budapp.workflow_ops.step_views import Json


class BenchmarkSteps(ModelSteps, ClusterSteps):
    """The steps of a benchmark of a model on a cluster."""

    eval_with: str | None = None
    concurrent_requests: int | None = None
    max_input_tokens: int | None = None
    max_output_tokens: int | None = None
    datasets: list[Json] | None = None
    nodes: list[Json] | None = None
    user_confirmation: bool | None = None
    run_as_simulation: bool | None = None
    selected_device_type: str | None = None
    tp_size: int | None = None
    pp_size: int | None = None
    replicas: int | None = None
    num_prompts: int | None = Field(default=None, description="How many requests are sent in all")
    benchmark_id: UUID | None = Field(default=None, description="The benchmark, once it runs")
    hardware_mode: str | None = None
