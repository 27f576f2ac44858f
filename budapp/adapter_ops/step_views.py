"""What the steps of adapters look like to browsers."""

from budapp.deployment_ops.step_views import DeploySteps


class AdapterSteps(DeploySteps):
    """The steps by which an adapter comes and goes; what they say is in `adapter_config`."""
