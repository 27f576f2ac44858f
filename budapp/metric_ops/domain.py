"""What is counted of requests to deployments."""

from budapp.commons.domain import Component, Domain
from budapp.integrations.dapr import DaprClient
from budapp.integrations.traffic import Traffic
from budapp.metric_ops.gateway import GatewayMetrics
from budapp.metric_ops.routes import router
from budapp.metric_ops.services import Metrics
from budapp.metric_ops.usage import Usage

domain = Domain(
    routers=(router,),
    components=(
        Component(Traffic, lambda c: Traffic(c[DaprClient]), stop=Traffic.stop),
        Component(Metrics, lambda c: Metrics(c[Traffic])),
        Component(Usage, lambda c: Usage(c[Traffic])),
        Component(GatewayMetrics, lambda c: GatewayMetrics(c[Traffic])),
    ),
)
