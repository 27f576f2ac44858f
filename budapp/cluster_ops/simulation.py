"""How budsim tells about its simulations, whoever asks for one."""

from functools import partial

from budapp.workflow_ops.definitions import Events
from budapp.workflow_ops.step_list import StepAnswer

simulation_events = partial(
    Events,
    key="bud_simulator_events",
    type="get_cluster_recommendations",
    steps=(
        StepAnswer(id="validation", title="Identifying compatibles clusters"),
        StepAnswer(id="performance_estimation", title="Generating best configuration for each cluster"),
        StepAnswer(id="ranking", title="Ranking the cluster based on performance"),
    ),
)
