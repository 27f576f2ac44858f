"""What the steps of a deployment look like to browsers."""

from budapp.cluster_ops.step_views import ClusterSteps
from budapp.endpoint_ops.step_views import DeploymentSteps
from budapp.model_ops.step_views import ModelSteps


class DeploySteps(DeploymentSteps, ModelSteps, ClusterSteps):
    """The steps by which a model is deployed."""
