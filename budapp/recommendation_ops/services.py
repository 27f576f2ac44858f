"""Which cluster suits a model best: asked of budsim for one model after the other, and shown in lists of models."""

from datetime import timedelta
from functools import partial
from uuid import UUID

from budapp.commons.database import Database, now
from budapp.commons.isolation import each_isolated
from budapp.model_ops.services import begin_recommendation
from budapp.recommendation_ops import crud, workflows
from budapp.workflow_ops.services import Workflows

_GOOD_FOR = timedelta(hours=24)
_IN_ONE_RUN = 5
_SECONDS_PER_MODEL = 400
_JOB = "recommend_clusters"


async def recommend(database: Database, flows: Workflows) -> None:
    """Begin to look for clusters for some of the models whose recommendation is a day old, or missing."""
    async with database.read() as session:
        models = await crud.next_models(session, _JOB, now() - _GOOD_FOR, _IN_ONE_RUN)
    begin = partial(_recommend_one, database, flows)
    await each_isolated(database, _JOB, models, begin, seconds=_SECONDS_PER_MODEL)


async def _recommend_one(database: Database, flows: Workflows, model_id: UUID) -> None:
    async with database.write() as session:
        model = await begin_recommendation(session, model_id, now() - _GOOD_FOR)
        if model is None:
            return
        who = {"tenant_id": model.tenant_id, "user_id": model.created_by}
        question = await flows.start(session, workflows.RECOMMENDATION.type, {"model_id": str(model.id)}, **who)
    await flows.carry_out(question)
