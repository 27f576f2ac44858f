from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from budapp.commons.paging import Paging
from budapp.commons.schemas import Answer, PageAnswer, Schema
from budapp.commons.timestamps import Timestamp
from budapp.evaluation_ops.schemas import SplitIds
from budapp.experiment_ops.schemas import Interval, Statistics


class MetricValue(Schema):
    metric_name: str
    metric_value: float


class Difference(Schema):
    """How many points a score is behind the best one; `is_certain` tells whether the interval leaves out 0."""

    points: float = Field(description="How many percentage points it is behind the best score")
    lower: float = Field(description="The lower limit of the 95 percent confidence interval, in percentage points")
    upper: float = Field(description="The upper limit of the 95 percent confidence interval, in percentage points")
    is_certain: bool = Field(description="Whether the confidence interval leaves out 0")


class RankedScore(Schema):
    """The mean of the runs of one dataset with one deployment, and its place among all of that dataset."""

    rank: int = Field(description="Its place among the scores of the dataset, from 1")
    model_id: UUID
    model_name: str
    model_display_name: str
    model_icon: str | None
    provider_icon: str | None
    endpoint_id: UUID
    endpoint_name: str | None
    accuracy: float = Field(description="Mean score of the runs, in percent where it is a share")
    samples: int | None
    confidence_interval: Interval | None
    behind_best: Difference | None
    metrics: list[MetricValue]
    num_runs: int
    created_at: datetime


class DatasetScores(PageAnswer):
    object: Literal["dataset.scores"] = "dataset.scores"
    message: str = "Scores found"
    dataset_id: UUID
    dataset_name: str
    scores: list[RankedScore]
    statistics: Statistics = Statistics()


class ScoreQuery(Paging):
    limit: int = Field(default=50, ge=1, le=100)


class CrossScoreQuery(ScoreQuery):
    endpoint_id: UUID | None = None
    model_id: UUID | None = None
    dataset_id: UUID | None = None


class CrossScore(RankedScore):
    dataset_id: UUID
    dataset_name: str


class CrossScores(PageAnswer):
    object: Literal["scores.list"] = "scores.list"
    message: str = "Scores found"
    scores: list[CrossScore]
    statistics: Statistics = Statistics()


class ComparedDeployment(Schema):
    """A deployment that was evaluated."""

    id: UUID
    endpoint_name: str | None
    model_id: UUID
    model_name: str
    model_icon: str | None
    experiment_count: int
    run_count: int


class ComparedDeployments(PageAnswer):
    object: Literal["comparison.deployments"] = "comparison.deployments"
    message: str = "Deployments found"
    deployments: list[ComparedDeployment]


class DeploymentsQuery(Paging):
    limit: int = Field(default=50, ge=1, le=100)


class ComparisonQuery(Schema):
    """What is compared: all of a kind where none are named; ids are parted by commas."""

    deployment_ids: SplitIds = []
    trait_ids: SplitIds = []
    dataset_ids: SplitIds = []
    start_date: Timestamp | None = None
    end_date: Timestamp | None = None


class TraitsQuery(Schema):
    deployment_ids: SplitIds = []


class ComparedTrait(Schema):
    id: UUID
    name: str
    icon: str | None
    description: str | None
    dataset_count: int
    run_count: int


class ComparedTraits(Answer):
    object: Literal["comparison.traits"] = "comparison.traits"
    message: str = "Traits found"
    traits: list[ComparedTrait]


class RadarTrait(Schema):
    id: UUID
    name: str
    icon: str | None


class TraitScore(Schema):
    """The mean over the trait's datasets that the deployment was run with, each counting alike."""

    trait_id: UUID
    trait_name: str
    score: float
    dataset_count: int
    run_count: int
    samples: int | None
    confidence_interval: Interval | None


class RadarDeployment(Schema):
    deployment_id: UUID
    deployment_name: str | None
    model_name: str
    color: str
    trait_scores: list[TraitScore]


class Radar(Answer):
    object: Literal["comparison.radar"] = "comparison.radar"
    message: str = "Comparison found"
    traits: list[RadarTrait]
    deployments: list[RadarDeployment]
    statistics: Statistics = Statistics()


class HeatmapQuery(ComparisonQuery):
    limit: int = Field(default=5, ge=1, le=50)


class HeatmapDataset(Schema):
    id: UUID
    name: str


class Cell(Schema):
    """A dataset with a deployment; without a score it has not been run."""

    dataset_id: UUID
    dataset_name: str
    score: float | None = None
    run_count: int = 0
    samples: int | None = None
    confidence_interval: Interval | None = None


class HeatmapDeployment(Schema):
    deployment_id: UUID
    deployment_name: str | None
    model_name: str
    dataset_scores: list[Cell]


class HeatmapStats(Schema):
    min_score: float = Field(description="The lowest of the scores shown, in percent where it is a share")
    max_score: float = Field(description="The highest of the scores shown, in percent where it is a share")
    avg_score: float = Field(description="The mean of the scores shown, in percent where it is a share")


class Heatmap(Answer):
    object: Literal["comparison.heatmap"] = "comparison.heatmap"
    message: str = "Comparison found"
    datasets: list[HeatmapDataset]
    deployments: list[HeatmapDeployment]
    stats: HeatmapStats
    statistics: Statistics = Statistics()
