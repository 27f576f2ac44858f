"""The clusters that models run on."""

from datetime import timedelta
from functools import partial

from budapp.cluster_ops import models, reports, workflows
from budapp.cluster_ops.routes import router
from budapp.cluster_ops.step_views import ClusterSteps
from budapp.commons.database import Database
from budapp.commons.domain import Components, Domain
from budapp.commons.jobs import Job
from budapp.integrations.budcluster import STATUS_EVENTS


def _jobs(c: Components) -> tuple[Job, ...]:
    return (Job("watch_clusters", timedelta(minutes=1), partial(reports.watch_for_silence, c[Database])),)


domain = Domain(
    routers=(router,),
    tables=(models,),
    workflows=(workflows.ONBOARDING, workflows.DELETION),
    step_views=(ClusterSteps,),
    jobs=_jobs,
    event_handlers=lambda _: {STATUS_EVENTS: reports.take_report},
)
