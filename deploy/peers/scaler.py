"""How a deployment scales, as budcluster checks it."""

from typing import Any, Literal

from pydantic import BaseModel, Field


class GPUConfig(BaseModel):
    enabled: bool = False
    memoryThreshold: int = Field(default=80, ge=0, le=100)  # noqa: N815 - the service's names, here and below
    computeThreshold: int = Field(default=80, ge=0, le=100)  # noqa: N815
    topologyAware: bool = False  # noqa: N815
    preferredGPUType: str | None = None  # noqa: N815
    vGPUSupport: bool = False  # noqa: N815


class CostConfig(BaseModel):
    enabled: bool = False
    cloudProvider: str | None = None  # noqa: N815
    hourlyBudgetLimit: float | None = None  # noqa: N815
    dailyBudgetLimit: float | None = None  # noqa: N815
    spotInstancePreference: Literal["none", "prefer", "require"] = "none"  # noqa: N815


class PredictionConfig(BaseModel):
    enabled: bool = False
    lookAheadMinutes: int = Field(default=15, ge=1, le=1440)  # noqa: N815
    historyDays: int = Field(default=7, ge=1, le=365)  # noqa: N815
    minConfidence: float = Field(default=0.7, ge=0, le=1)  # noqa: N815
    predictionMetrics: list[str] = []  # noqa: N815


class ScheduleHint(BaseModel):
    name: str
    cronExpression: str  # noqa: N815
    targetReplicas: int = Field(ge=0)  # noqa: N815
    duration: str | None = None


class FailoverThresholds(BaseModel):
    healthCheckFailures: int = Field(default=3, ge=1)  # noqa: N815
    latencyMs: int = Field(default=5000, ge=100)  # noqa: N815


class MultiClusterConfig(BaseModel):
    enabled: bool = False
    federationMode: Literal["active-passive", "active-active", "weighted"] = "active-passive"  # noqa: N815
    clusterWeights: dict[str, int] = {}  # noqa: N815
    failoverThresholds: FailoverThresholds | None = None  # noqa: N815


class ScalingPolicy(BaseModel):
    type: Literal["Percent", "Pods"]
    value: int = Field(ge=1)
    periodSeconds: int = Field(ge=1, le=1800)  # noqa: N815


class ScalingRules(BaseModel):
    stabilizationWindowSeconds: int = Field(default=0, ge=0, le=3600)  # noqa: N815
    policies: list[ScalingPolicy] = []
    selectPolicy: Literal["Max", "Min", "Disabled"] = "Max"  # noqa: N815


class ScalingBehavior(BaseModel):
    scaleUp: ScalingRules = ScalingRules()  # noqa: N815
    scaleDown: ScalingRules = ScalingRules(stabilizationWindowSeconds=300)  # noqa: N815


class ScaleToZeroConfig(BaseModel):
    enabled: bool = True
    activationScale: int = Field(default=1, ge=1)  # noqa: N815
    gracePeriod: str = "5m"  # noqa: N815


class ScalerConfig(BaseModel):
    """The autoscaler's settings; unknown ones are passed over, as budcluster does."""

    enabled: bool = False
    minReplicas: int = Field(default=1, ge=0)  # noqa: N815
    maxReplicas: int = Field(default=10, ge=0)  # noqa: N815
    scalingStrategy: Literal["HPA", "KPA", "BudScaler"] = "BudScaler"  # noqa: N815
    metricsSources: list[dict[str, Any]] = []  # noqa: N815
    gpuConfig: GPUConfig = GPUConfig()  # noqa: N815
    costConfig: CostConfig = CostConfig()  # noqa: N815
    predictionConfig: PredictionConfig = PredictionConfig()  # noqa: N815
    scheduleHints: list[ScheduleHint] = []  # noqa: N815
    multiCluster: MultiClusterConfig = MultiClusterConfig()  # noqa: N815
    behavior: ScalingBehavior = ScalingBehavior()
    scaleToZeroConfig: ScaleToZeroConfig | None = None  # noqa: N815
