"""The clusters that suit all models of a guardrail, from what a simulation has found for each."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from budapp.integrations.budsim import ClusterRecommendation
from budapp.integrations.guardrail_pipelines import StepOutput
from budapp.integrations.peers import Json


def intersect(outputs: Mapping[str, Any], sizes: Mapping[str, int]) -> list[Json]:
    """Return the clusters that every step has found, with the figures of the largest model, the cheapest first.

    Args:
        outputs: what each step has found.
        sizes: the steps that there are, with how large their models are.
    """
    found = {step_id: _of_step(outputs.get(step_id)) for step_id in sizes}
    if not found or not all(found.values()):
        return []
    common = set.intersection(*(set(clusters) for clusters in found.values()))
    largest = max(sizes, key=lambda step_id: sizes[step_id])
    chosen = [found[largest][cluster_id] for cluster_id in common]
    ordered = sorted(chosen, key=lambda one: (one.metrics.cost_per_million_tokens, str(one.cluster_id)))
    return [one.model_dump(mode="json") for one in ordered]


def _of_step(output: Any) -> dict[str, ClusterRecommendation]:
    try:
        step = StepOutput.model_validate(output)
    except ValidationError:
        return {}
    found: dict[str, ClusterRecommendation] = {}
    for one in step.recommendations if step.success else ():
        try:
            recommendation = ClusterRecommendation.model_validate(one)
        except ValidationError:
            continue
        found[str(recommendation.cluster_id)] = recommendation
    return found
