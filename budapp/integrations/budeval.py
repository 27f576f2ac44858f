"""budeval: how well a deployed model does in benchmark datasets."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from pydantic import BeforeValidator, Field

from budapp.commons.storable import OutsideText
from budapp.integrations.dapr import Peer
from budapp.integrations.peers import PeerCall, Reply, StepAnswer

EVALUATION_EVENTS = "evaluate_model"
EVALUATION_STEPS = (
    StepAnswer(id="verify_cluster_connection", title="Verifying Cluster Connection"),
    StepAnswer(id="preparing_eval_engine", title="Preparing Eval Engine"),
    StepAnswer(id="deploy_eval_job", title="Deploying Evaluation Jobs"),
    StepAnswer(id="monitor_eval_job_progress", title="Monitoring Evaluation Job Progress"),
)
SUCCESS = "success"
_DONE = {SUCCESS, "completed", "succeeded"}


def _or_nothing(value: Any) -> Any:
    """Take what is no number, or one that no column holds, for none."""
    try:
        number = Decimal(str(value))
    except ArithmeticError:
        return None
    return number if number.is_finite() and abs(number) <= 9_999 else None


def _seconds(value: Any) -> int | None:
    number = _or_nothing(value) if value is not None else None
    return int(number) if number is not None and number >= 0 else None


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 1 << 31 else None


class Score(Reply):
    """A score of one run, in percent where `metric` is an accuracy; `num_samples` is told by newer engines."""

    dataset: OutsideText = None
    metric: OutsideText = "accuracy"
    score: Annotated[Decimal | None, BeforeValidator(_or_nothing)] = None
    version: OutsideText = None
    num_samples: Annotated[int | None, BeforeValidator(_count)] = None


class RunResult(Reply):
    """What has become of one run."""

    run_id: UUID
    status: OutsideText = None
    duration_seconds: Annotated[int | None, BeforeValidator(_seconds)] = None
    scores: list[Score] = Field(default=[], max_length=100)

    @property
    def succeeded(self) -> bool:
        """Tell whether there is a score."""
        return (self.status or "").lower() in _DONE and any(one.score is not None for one in self.scores)


class EvaluationResult(Reply):
    """What the results of an evaluation say; a part that can't be read is left out by who takes them."""

    evaluation_id: UUID | None = None
    results: list[Any] = Field(max_length=1_000)


def start_evaluation(
    *,
    evaluation_id: UUID,
    experiment_id: UUID,
    model_name: str,
    endpoint: str,
    api_key: str,
    datasets: Mapping[UUID, str],
) -> PeerCall:
    """Return the call that has a deployment evaluated.

    Args:
        evaluation_id: what the results are to name.
        experiment_id: where it belongs.
        model_name: what the deployment is called by, where it is asked.
        endpoint: where it answers; an OpenAI-compatible address that ends with `/v1`.
        api_key: opens it.
        datasets: run → the engine's name of the dataset.
    """
    body = {
        "eval_id": str(evaluation_id),
        "experiment_id": str(experiment_id),
        "eval_model_info": {"model_name": model_name, "endpoint": endpoint, "api_key": api_key, "extra_args": {}},
        "eval_datasets": [{"dataset_id": name, "run_id": str(run_id)} for run_id, name in datasets.items()],
        "eval_configs": [],
        "kubeconfig": "",
    }
    return PeerCall(Peer.BUDEVAL, "POST", "evals/start", body)
