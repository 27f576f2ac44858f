from sqlalchemy import select

from budapp.commons.database import now
from budapp.evaluation_ops.models import EvalDataset, EvalDatasetVersion, EvalSync, EvalTrait, EvalTraitDataset
from tests.surface.share import SeedContext, Share, Things, Valid


async def _seed(context: SeedContext) -> Things:
    """Put in a trait and a dataset, which all tenants share."""
    known = await context.session.scalar(select(EvalTrait))
    if known is None:
        trait, dataset = EvalTrait(name="Knowledge", position=0), EvalDataset(name="MMLU", eval_types={"gen": "mmlu"})
        await context.add(trait, dataset)
        version = EvalDatasetVersion(dataset_id=dataset.id, version="1", sample_count=100)
        link = EvalTraitDataset(trait_id=trait.id, dataset_id=dataset.id)
        about = {"source": "s", "version": "1", "digest": "d", "status": "completed"}
        await context.add(version, link, EvalSync(synced_at=now(), **about))
        known = trait
    dataset_id = await context.session.scalar(select(EvalDataset.id))
    return {"trait_id": str(known.id), "eval_dataset_id": str(dataset_id)}


share = Share(
    "evaluation_ops",
    seed=_seed,
    requests={"GET /experiments/datasets/{dataset_id}": Valid(path={"dataset_id": "eval_dataset_id"})},
    changes_nothing={"POST /experiments/sync/datasets": "brings reference data that is nobody's own"},
)
