"""What is measured in clusters."""

from budapp.cluster_metric_ops.routes import router
from budapp.cluster_metric_ops.services import ClusterMetrics
from budapp.commons.config import Settings
from budapp.commons.domain import Component, Domain
from budapp.integrations.dapr import DaprClient
from budapp.integrations.shared_calls import SharedCalls

domain = Domain(
    routers=(router,),
    components=(Component(ClusterMetrics, lambda c: ClusterMetrics(c[SharedCalls], c[DaprClient], c[Settings])),),
)
