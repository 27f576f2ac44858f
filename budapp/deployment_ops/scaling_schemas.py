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
    targetValue: Text | None = None  # noqa: N815
    address: Text | None = None
    query: Annotated[str, StringConstraints(max_length=5000)] | None = None


class GpuConfig(Schema):
    enabled: bool = False
    memoryThreshold: Percent = 80  # noqa: N815
    computeThreshold: Percent = 80  # noqa: N815
    topologyAware: bool = False  # noqa: N815
    preferredGPUType: Text | None = None  # noqa: N815
    vGPUSupport: bool = False  # noqa: N815


class CostConfig(Schema):
    enabled: bool = False
    cloudProvider: Literal["aws", "azure", "gcp", "on-premises"] | None = None  # noqa: N815
    hourlyBudgetLimit: float = Field(default=0, ge=0, le=1e9)  # noqa: N815
    dailyBudgetLimit: float = Field(default=0, ge=0, le=1e9)  # noqa: N815
    spotInstancePreference: Literal["none", "prefer", "require"] = "none"  # noqa: N815


class PredictionConfig(Schema):
    enabled: bool = False
    lookAheadMinutes: int = Field(default=15, ge=1, le=60)  # noqa: N815
    historyDays: int = Field(default=7, ge=1, le=90)  # noqa: N815
    minConfidence: float = Field(default=0.7, ge=0, le=1)  # noqa: N815
    predictionMetrics: list[Text] = Field(default=[], max_length=100)  # noqa: N815


class ScheduleHint(Schema):
    name: Text
    cronExpression: Annotated[str, StringConstraints(min_length=1, max_length=200)]  # noqa: N815
    targetReplicas: Replicas  # noqa: N815
    duration: Text | None = None


class FailoverThresholds(Schema):
    healthCheckFailures: int = Field(default=3, ge=1, le=1000)  # noqa: N815
    latencyMs: int = Field(default=5000, ge=100, le=600_000)  # noqa: N815


class MultiCluster(Schema):
    enabled: bool = False
    federationMode: Literal["active-passive", "active-active", "weighted"] = "active-passive"  # noqa: N815
    clusterWeights: dict[Text, Annotated[int, Field(ge=0, le=1_000_000)]] = Field(  # noqa: N815
        default={}, max_length=100
    )
    failoverThresholds: FailoverThresholds = FailoverThresholds()  # noqa: N815


class ScalePolicy(Schema):
    type: Literal["Percent", "Pods"] = "Percent"
    value: int = Field(default=100, ge=1, le=1_000_000)
    periodSeconds: int = Field(default=15, ge=1, le=1800)  # noqa: N815


class ScaleRules(Schema):
    stabilizationWindowSeconds: int = Field(default=0, ge=0, le=3600)  # noqa: N815
    policies: list[ScalePolicy] = Field(default=[], max_length=100)
    selectPolicy: Literal["Max", "Min", "Disabled"] = "Max"  # noqa: N815


class ScaleBehavior(Schema):
    scaleUp: ScaleRules = ScaleRules()  # noqa: N815
    scaleDown: ScaleRules = ScaleRules(stabilizationWindowSeconds=300)  # noqa: N815


class ScaleToZero(Schema):
    enabled: bool = True
    activationScale: int = Field(default=1, ge=1, le=10_000)  # noqa: N815
    gracePeriod: Text = "5m"  # noqa: N815


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
    budaiscaler_config: ScalerSpecification | None
