"""What models are evaluated by: traits, and datasets that say something about them."""

from datetime import timedelta

from budapp.commons.config import Settings
from budapp.commons.database import Database
from budapp.commons.domain import Component, Components, Domain
from budapp.commons.jobs import Job
from budapp.evaluation_ops import models
from budapp.evaluation_ops.commands import app as commands
from budapp.evaluation_ops.routes import router, sync_router
from budapp.evaluation_ops.seeds import ensure_datasets
from budapp.evaluation_ops.services import EvaluationData
from budapp.integrations.outgoing import Outgoing


def _jobs(c: Components) -> tuple[Job, ...]:
    return (Job("sync_evaluations", timedelta(hours=c[Settings].eval_sync_hours), c[EvaluationData].sync),)


domain = Domain(
    routers=(router, sync_router),
    tables=(models,),
    components=(Component(EvaluationData, lambda c: EvaluationData(c[Database], c[Outgoing], c[Settings])),),
    jobs=_jobs,
    seeds=(ensure_datasets,),
    commands={"evaluations": commands},
)
