from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from budapp.commons.access import Caller, Requires, service_accounts_may
from budapp.commons.database import Read
from budapp.commons.scopes import Scope
from budapp.evaluation_ops.services import reach_dataset
from budapp.experiment_ops import score_schemas as view
from budapp.experiment_ops import scores

router = APIRouter(prefix="/experiments", tags=["evaluations"], dependencies=[service_accounts_may])

Viewer = Annotated[Caller, Depends(Requires(Scope.MODEL_VIEW))]
ViewerOf = Annotated[Caller, Depends(Requires(Scope.MODEL_VIEW, row=reach_dataset))]


@router.get("/scores")
async def list_scores(
    caller: Viewer, session: Read, query: Annotated[view.CrossScoreQuery, Query()]
) -> view.CrossScores:
    """List scores by dataset and rank: of own experiments, and of deployments in reach."""
    page = await scores.list_scores(session, caller, query)
    found = [view.CrossScore.model_validate(scores.ranked(row)) for row in page.rows]
    return view.CrossScores(scores=found, **page.envelope())


@router.get("/datasets/{dataset_id}/scores")
async def rank_dataset(
    dataset_id: UUID, caller: ViewerOf, session: Read, query: Annotated[view.ScoreQuery, Query()]
) -> view.DatasetScores:
    """List the deployments that were run with a dataset, the best first."""
    name, page = await scores.rank_dataset(session, caller, dataset_id, query)
    found = [view.RankedScore.model_validate(scores.ranked(row)) for row in page.rows]
    return view.DatasetScores(dataset_id=dataset_id, dataset_name=name, scores=found, **page.envelope())


@router.get("/compare/deployments")
async def list_deployments(
    caller: Viewer, session: Read, query: Annotated[view.DeploymentsQuery, Query()]
) -> view.ComparedDeployments:
    """List the deployments that can be compared, by name."""
    return view.ComparedDeployments.of(await scores.list_deployments(session, caller, query))


@router.get("/compare/traits")
async def list_compared_traits(
    caller: Viewer, session: Read, query: Annotated[view.TraitsQuery, Query()]
) -> view.ComparedTraits:
    """List the traits by which deployments can be compared."""
    rows = await scores.list_traits(session, caller, query)
    return view.ComparedTraits(traits=[view.ComparedTrait.model_validate(dict(row._mapping)) for row in rows])


@router.get("/compare/radar")
async def compare_by_trait(
    caller: Viewer, session: Read, query: Annotated[view.ComparisonQuery, Query()]
) -> view.Radar:
    """Compare deployments by trait, each with how certain it is."""
    return await scores.radar(session, caller, query)


@router.get("/compare/heatmap")
async def compare_by_dataset(
    caller: Viewer, session: Read, query: Annotated[view.HeatmapQuery, Query()]
) -> view.Heatmap:
    """Compare deployments by dataset, each with how certain it is."""
    return await scores.heatmap(session, caller, query)
