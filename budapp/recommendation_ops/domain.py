"""Which cluster suits a model best."""

from datetime import timedelta
from functools import partial

from budapp.cluster_ops import hooks as cluster_hooks
from budapp.commons.database import Database
from budapp.commons.domain import Components, Domain
from budapp.commons.jobs import Job
from budapp.model_ops import hooks as model_hooks
from budapp.recommendation_ops import crud, models, services, workflows
from budapp.workflow_ops.domain import ASKS_PEERS
from budapp.workflow_ops.services import Workflows


def _jobs(c: Components) -> tuple[Job, ...]:
    recommend = partial(services.recommend, c[Database], c[Workflows])
    return (Job("recommend_clusters", timedelta(seconds=30), recommend, limit=ASKS_PEERS),)


domain = Domain(
    tables=(models,),
    workflows=(workflows.RECOMMENDATION,),
    jobs=_jobs,
    hooks=(
        model_hooks.recommendation.register(crud.recommendation),
        cluster_hooks.after_deletion.register(crud.forget_cluster),
    ),
)
