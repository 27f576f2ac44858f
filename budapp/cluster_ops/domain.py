"""The clusters that models run on."""

from budapp.cluster_ops import models
from budapp.cluster_ops.step_views import ClusterSteps
from budapp.commons.domain import Domain

domain = Domain(tables=(models,), step_views=(ClusterSteps,))
