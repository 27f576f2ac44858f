"""Pipelines: work in several steps, by hand, at certain times, or when something happens."""

from budapp.commons.database import Database
from budapp.commons.domain import Component, Domain
from budapp.integrations.budpipeline import BudPipeline
from budapp.integrations.dapr import DaprClient
from budapp.pipeline_ops import models
from budapp.pipeline_ops.executions import Executions
from budapp.pipeline_ops.routes import router
from budapp.pipeline_ops.services import Pipelines
from budapp.pipeline_ops.triggers import Triggers

domain = Domain(
    routers=(router,),
    tables=(models,),
    components=(
        Component(BudPipeline, lambda c: BudPipeline(c[DaprClient])),
        Component(Pipelines, lambda c: Pipelines(c[BudPipeline], c[Database])),
        Component(Executions, lambda c: Executions(c[BudPipeline], c[Database])),
        Component(Triggers, lambda c: Triggers(c[BudPipeline], c[Database])),
    ),
)
