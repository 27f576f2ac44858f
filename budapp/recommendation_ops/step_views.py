from budapp.cluster_ops.step_views import SimulationSteps
from budapp.model_ops.step_views import ModelSteps


class RecommendationSteps(ModelSteps, SimulationSteps):
    """The one step by which the cluster that suits a model best is found."""
