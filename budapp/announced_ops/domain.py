"""What clients know already of domains that are still to come."""

from budapp.announced_ops.step_views import PromptSteps
from budapp.commons.domain import Domain

domain = Domain(step_views=(PromptSteps,))
