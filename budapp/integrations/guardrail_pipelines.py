"""budpipeline, as guardrails use it: pipelines that bring in, simulate and deploy the models that look at texts."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import Field

from budapp.integrations.dapr import Peer
from budapp.integrations.peers import Addressee, Json, PeerCall, PipelineAnswer, Reply, StepAnswer

ONBOARDING, SIMULATION, DEPLOYMENT = "guardrail_model_onboarding", "guardrail_simulation", "guardrail_deployment"
_ONBOARDING_SECONDS = 86_400
_SIMULATION_SECONDS = 7_200


@dataclass(frozen=True, slots=True)
class PipelineStep:
    """A step of a pipeline; it begins when those that it depends on are done."""

    id: str
    name: str
    action: str
    params: Json
    depends_on: Sequence[str] = field(default=())

    def answer(self) -> StepAnswer:
        """Return it as lists of steps have it."""
        return StepAnswer(id=self.id, title=self.name)


class StepOutput(Reply):
    """What a step of a simulation has found."""

    success: bool = False
    recommendations: list[Any] = []


class PipelineResult(Reply):
    """What the results of a pipeline say."""

    success: bool = True
    outputs: dict[str, Any] = Field(default={}, max_length=1_000)


def onboard_step(id: str, *, name: str, uri: str, source: str, author: str, credential_id: str | None) -> PipelineStep:
    """Return the step that brings a model into the repository."""
    params: Json = {
        "model_uri": uri,
        "model_name": name,
        "model_source": source,
        "author": author,
        "description": "Looks at texts for guardrails",
        "max_wait_seconds": _ONBOARDING_SECONDS,
    }
    if credential_id is not None:
        params["credential_id"] = credential_id
    return PipelineStep(id, f"Onboard {name}", "model_add", params)


def simulate_step(id: str, *, name: str, params: Json) -> PipelineStep:
    """Return the step that has clusters found for a model."""
    return PipelineStep(id, f"Simulate {name}", "simulation_run", {**params, "max_wait_seconds": _SIMULATION_SECONDS})


def deploy_step(id: str, *, name: str, params: Json, after: str | None) -> PipelineStep:
    """Return the step that deploys a model, after another one where there is one."""
    return PipelineStep(id, f"Deploy {name}", "deployment_create", params, (after,) if after is not None else ())


def run(name: str, payload_type: str, steps: Sequence[PipelineStep]) -> PeerCall:
    """Return the call that runs a pipeline once, and has its events told as `payload_type`."""
    definition = {
        "name": name,
        "description": "Models of guardrails",
        "steps": [
            {
                "id": one.id,
                "name": one.name,
                "action": one.action,
                "params": one.params,
                "depends_on": [*one.depends_on],
            }
            for one in steps
        ],
        "outputs": {},
        "parameters": [],
    }
    body: Json = {"pipeline_definition": definition, "params": {}, "payload_type": payload_type}
    return PeerCall(Peer.BUDPIPELINE, "POST", "executions/run", body, address=_address, answer=PipelineAnswer)


def _address(to: Addressee) -> Json:
    """Return whom budpipeline tells, in its own words."""
    whom = {"user_id": to.user_id, "initiator": to.user_id, "subscriber_ids": to.user_id}
    return {**whom, "callback_topics": list(to.topics), "notification_workflow_id": to.workflow_id}
