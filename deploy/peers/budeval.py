"""The stand-in for budeval: runs datasets against a model, and says how well it did.

Scores are made from the request alone: the same deployment has the same score in the same dataset. A dataset with
`fails` in its name can't be run, and of those with `silent` nothing is told. With each step that is done, budapp is
told how long the evaluation still takes.
"""

import hashlib
import logging
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Response, status
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from peers.control import Control
from peers.envelope import WorkAnswer, WorkRequest, error
from peers.flow import Flow, Step
from peers.sidecar import Refused
from peers.work import Deed, Order, StepFailed, Works

logger = logging.getLogger(__name__)

_RUN_SECONDS = 60
_MINUTES = 4
_TELL_SECONDS = 5
_MONITOR = "monitor_eval_job_progress"
_VERSION = "c4b2f6"


class Engine(StrEnum):
    """What runs the datasets."""

    OPENCOMPASS = "opencompass"


class EvalModelInfo(BaseModel):
    """The model, and how it is called."""

    model_name: str
    endpoint: str
    api_key: str
    extra_args: dict[str, Any] = Field(default_factory=dict)


class EvalDataset(BaseModel):
    """A dataset to run, and what the caller calls that run."""

    dataset_id: str
    run_id: str


class EvalConfig(BaseModel):
    """A setting of the engine."""

    config_name: str
    config_value: dict[str, Any]


class EvaluationRequest(WorkRequest):
    """The body of `POST /evals/start`."""

    eval_id: UUID
    experiment_id: UUID
    eval_model_info: EvalModelInfo
    eval_datasets: list[EvalDataset]
    eval_configs: list[EvalConfig] = []
    engine: Engine = Engine.OPENCOMPASS
    kubeconfig: str | None = None


class Score(BaseModel):
    """A score that is to be told in place of the one that is made up."""

    score: float


EVALUATION = Flow(
    type="evaluate_model",
    minutes=_MINUTES,
    process=Step(
        id="evaluate_model_status",
        title="Evaluation",
        description="The evaluation as a whole",
        started=("Evaluation Started", "Evaluation Started"),
        completed=("Evaluation Completed Successfully", "Evaluated {datasets} dataset(s)"),
        failed=("Result extraction failed", "{error}"),
    ),
    steps=(
        Step(
            id="verify_cluster_connection",
            title="Verifying Cluster Connection",
            description="Verify that the cluster can be reached",
            running=("Starting Cluster Connectivity Check", "Starting Cluster Connectivity Check"),
            completed=("Cluster verification successful", "The cluster can be reached"),
            failed=("Cluster verification failed", "{error}"),
        ),
        Step(
            id="preparing_eval_engine",
            title="Preparing Eval Engine",
            description="Write the configuration of the engine",
            running=("Engine Configuration Creation", "Engine Configuration Creation Started"),
            completed=("Configuration created successfully", "Configuration created for the model"),
            failed=("Configuration creation failed", "{error}"),
        ),
        Step(
            id="deploy_eval_job",
            title="Deploying Evaluation Jobs",
            description="Start a job for each dataset",
            running=("Deploying Evaluation Jobs", "Deploying Evaluation Jobs"),
            completed=("All evaluation jobs deployed", "All evaluation jobs deployed successfully"),
            failed=("Deploy evaluation job failed", "{error}"),
        ),
        Step(
            id=_MONITOR,
            title="Monitoring Evaluation Job Progress",
            description="Wait for the jobs",
            completed=("All evaluation jobs completed", "All evaluation jobs completed successfully"),
            failed=("Job Monitoring Failed", "{error}"),
        ),
    ),
    results=("Evaluation Results", "Evaluation completed successfully"),
)


class BudEval:
    """The routes."""

    def __init__(self, control: Control) -> None:
        self.works = Works(control, topic="budEvalMessages")
        self._scores: dict[str, float] = {}

    async def start(self, request: EvaluationRequest) -> Response | WorkAnswer:
        """Evaluate a model on datasets."""
        if not request.eval_datasets:
            return JSONResponse(error("No datasets to evaluate", "BadRequest"), status.HTTP_400_BAD_REQUEST)

        def result(_workflow_id: UUID) -> dict[str, Any]:
            told = [one for one in request.eval_datasets if "silent" not in one.dataset_id]
            results = [self._result(request, one) for one in told]
            return {"evaluation_id": str(request.eval_id), "results": results}

        facts: dict[str, object] = {"datasets": len(request.eval_datasets)}
        deeds = {step.id: self._step(request, step.id) for step in EVALUATION.steps}
        return self.works.start(Order(EVALUATION, request, result, facts, deeds))

    async def set_score(self, dataset_id: str, score: Score) -> Score:
        """Tell this score of the dataset from now on, whatever the model."""
        self._scores[dataset_id] = score.score
        return score

    async def forget_scores(self, contains: str = "") -> Response:
        """Make scores up again, of datasets with this text in their names."""
        self._scores = {name: score for name, score in self._scores.items() if contains not in name}
        return Response(status_code=status.HTTP_204_NO_CONTENT)

    def _step(self, request: EvaluationRequest, step_id: str) -> Deed:
        left = 1 - EVALUATION.number_of(step_id) / len(EVALUATION.steps)

        async def do() -> None:
            if step_id == _MONITOR and all("fails" in one.dataset_id for one in request.eval_datasets):
                raise StepFailed("Some evaluation jobs failed or monitoring timed out")
            await self._tell_eta(request.eval_id, round(_MINUTES * 60 * left))

        return do

    async def _tell_eta(self, evaluation_id: UUID, seconds: int) -> None:
        body = {"evaluation_id": str(evaluation_id), "eta_seconds": seconds}
        path = "experiments/internal/evaluations/eta"
        try:
            await self.works.sidecar.ask_budapp("PATCH", path, body, seconds=_TELL_SECONDS)
        except Refused as reason:
            logger.warning("budapp was not told how long the evaluation still takes: %s", reason)

    def _result(self, request: EvaluationRequest, dataset: EvalDataset) -> dict[str, Any]:
        ended = datetime.now(UTC)
        fails = "fails" in dataset.dataset_id
        value = self._scores.get(dataset.dataset_id, score_of(request.eval_model_info.model_name, dataset.dataset_id))
        score = {"dataset": dataset.dataset_id, "metric": "accuracy", "score": value, "version": _VERSION}
        return {
            "run_id": dataset.run_id,
            "eval_id": str(request.eval_id),
            "status": "error" if fails else "success",
            "startTime": (ended - timedelta(seconds=_RUN_SECONDS)).isoformat(),
            "completionTime": ended.isoformat(),
            "duration_seconds": _RUN_SECONDS,
            "scores": [] if fails else [score],
        }


def score_of(model_name: str, dataset_id: str) -> float:
    """Return the score of a model in a dataset, in percent: from 40 to 95, by their names."""
    share = int(hashlib.sha256(f"{model_name} {dataset_id}".encode()).hexdigest()[:8], 16) / 0xFFFFFFFF
    return round(40 + 55 * share, 2)


def router(control: Control) -> APIRouter:
    """Return the routes of the contract."""
    peer = BudEval(control)
    routes = APIRouter(lifespan=peer.works.lifespan)
    routes.add_api_route("/evals/start", peer.start, methods=["POST"], response_model=WorkAnswer)
    at = "/control/scores"
    routes.add_api_route(at, peer.forget_scores, methods=["DELETE"], tags=["control"])
    routes.add_api_route(f"{at}/{{dataset_id:path}}", peer.set_score, methods=["PUT"], tags=["control"])
    return routes
