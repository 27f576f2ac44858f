"""How a deployment scales by itself, in budcluster's own words."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from budapp.commons.schemas import Answer, Schema

Text = Annotated[str, StringConstraints(max_length=500)]
Percent = Annotated[int, Field(ge=0, le=100)]
Replicas = Annotated[int, Field(ge=0, le=10_000)]


class MetricSource(Schema):
    type: Literal["pod", "resource", "prometheus", "inferenceEngine", "custom", "external"]
    protocolType: Text | None = "http"  # noqa: N815 - budcluster's names, here and below
    port: Text | None = "9090"
    path: Text | None = "/metrics"
    targetMetric: Text | None = None  # noqa: N815
    targetValue: Text | None = Field(  # noqa: N815
        default=None, description="The value that scaling aims at, in the unit of the metric"
    )
    address: Text | None = None
    query: Annotated[str, StringConstraints(max_length=5000)] | None = None


class GpuConfig(Schema):
    enabled: bool = False
    memoryThreshold: Percent = Field(default=80, description="GPU memory in use from which on it scales, in percent")  # noqa: N815
    computeThreshold: Percent = Field(default=80, description="GPU utilization from which on it scales, in percent")  # noqa: N815
    topologyAware: bool = False  # noqa: N815
    preferredGPUType: Text | None = None  # noqa: N815
    vGPUSupport: bool = False  # noqa: N815


class CostConfig(Schema):
    enabled: bool = False
    cloudProvider: Literal["aws", "azure", "gcp", "on-premises"] | None = None  # noqa: N815
    hourlyBudgetLimit: float = Field(  # noqa: N815
        default=0, ge=0, le=1e9, description="How much an hour may cost, in budcluster's currency; 0 is the default"
    )
    dailyBudgetLimit: float = Field(  # noqa: N815
        default=0, ge=0, le=1e9, description="How much a day may cost, in budcluster's currency; 0 is the default"
    )
    spotInstancePreference: Literal["none", "prefer", "require"] = "none"  # noqa: N815


class PredictionConfig(Schema):
    enabled: bool = False
    lookAheadMinutes: int = Field(default=15, ge=1, le=60, description="How many minutes ahead the load is predicted")  # noqa: N815
    historyDays: int = Field(  # noqa: N815
        default=7, ge=1, le=90, description="How many days of measurements predictions are made of"
    )
    minConfidence: float = Field(  # noqa: N815
        default=0.7, ge=0, le=1, description="How sure a prediction must be to count, from 0 to 1"
    )
    predictionMetrics: list[Text] = Field(default=[], max_length=100)  # noqa: N815


class ScheduleHint(Schema):
    name: Text
    cronExpression: Annotated[str, StringConstraints(min_length=1, max_length=200)] = Field(  # noqa: N815
        description="When it begins, as a cron expression"
    )
    targetReplicas: Replicas = Field(description="How many replicas there are to be then")  # noqa: N815
    duration: Text | None = Field(default=None, description="For how long, such as `2h`")


class FailoverThresholds(Schema):
    healthCheckFailures: int = Field(  # noqa: N815
        default=3, ge=1, le=1000, description="After how many failed checks a cluster counts as down"
    )
    latencyMs: int = Field(  # noqa: N815
        default=5000, ge=100, le=600_000, description="From how many milliseconds on a cluster counts as down"
    )


class MultiCluster(Schema):
    enabled: bool = False
    federationMode: Literal["active-passive", "active-active", "weighted"] = "active-passive"  # noqa: N815
    clusterWeights: dict[Text, Annotated[int, Field(ge=0, le=1_000_000)]] = Field(  # noqa: N815
        default={}, max_length=100, description="Cluster → its share of requests, in proportion to the others'"
    )
    failoverThresholds: FailoverThresholds = FailoverThresholds()  # noqa: N815


class ScalePolicy(Schema):
    type: Literal["Percent", "Pods"] = "Percent"
    value: int = Field(
        default=100, ge=1, le=1_000_000, description="How much may change within `periodSeconds`, in percent or in pods"
    )
    periodSeconds: int = Field(default=15, ge=1, le=1800, description="The seconds within which `value` counts")  # noqa: N815


class ScaleRules(Schema):
    stabilizationWindowSeconds: int = Field(  # noqa: N815
        default=0, ge=0, le=3600, description="For how many seconds earlier wishes to scale are kept in mind"
    )
    policies: list[ScalePolicy] = Field(default=[], max_length=100)
    selectPolicy: Literal["Max", "Min", "Disabled"] = Field(  # noqa: N815
        default="Max", description="Which of the policies counts: the one that changes most, least, or none"
    )


class ScaleBehavior(Schema):
    scaleUp: ScaleRules = ScaleRules()  # noqa: N815
    scaleDown: ScaleRules = ScaleRules(stabilizationWindowSeconds=300)  # noqa: N815


class ScaleToZero(Schema):
    enabled: bool = True
    activationScale: int = Field(  # noqa: N815
        default=1, ge=1, le=10_000, description="How many replicas it has at least as soon as it has any"
    )
    gracePeriod: Text = Field(  # noqa: N815
        default="5m", description="How long there are no requests before it scales to zero, such as `5m`"
    )


class ScalerSpecification(Schema):
    """The specification of budcluster's autoscaler; what is left out has its default."""

    enabled: bool = False
    minReplicas: Replicas = 1  # noqa: N815
    maxReplicas: Replicas = 10  # noqa: N815
    scalingStrategy: Literal["HPA", "KPA", "BudScaler"] = "BudScaler"  # noqa: N815
    metricsSources: list[MetricSource] = Field(default=[], max_length=50)  # noqa: N815
    gpuConfig: GpuConfig = GpuConfig()  # noqa: N815
    costConfig: CostConfig = CostConfig()  # noqa: N815
    predictionConfig: PredictionConfig = PredictionConfig()  # noqa: N815
    scheduleHints: list[ScheduleHint] = Field(default=[], max_length=100)  # noqa: N815
    multiCluster: MultiCluster = MultiCluster()  # noqa: N815
    behavior: ScaleBehavior = ScaleBehavior()
    scaleToZeroConfig: ScaleToZero | None = None  # noqa: N815


class AutoscaleUpdate(Schema):
    budaiscaler_specification: ScalerSpecification


class Autoscale(Answer):
    object: Literal["endpoint.autoscale"] = "endpoint.autoscale"
    message: str = "Autoscale configuration found"
    endpoint_id: UUID
    autoscale_enabled: bool
    budaiscaler_config: ScalerSpecification | None = Field(
        description="How it scales by itself; null where that was never set"
    )
