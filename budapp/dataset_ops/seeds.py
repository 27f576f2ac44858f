"""The public datasets that every installation knows."""

import json
from pathlib import Path

from budapp.commons.database import WriteSession
from budapp.commons.domain import Components
from budapp.dataset_ops import crud
from budapp.dataset_ops.models import BenchmarkDataset

_SEEDS = Path(__file__).with_name("benchmark_datasets.json")


async def ensure_benchmark_datasets(session: WriteSession, _components: Components) -> None:
    """Bring the datasets of `benchmark_datasets.json` into being; what is there under a name is brought up to date."""
    for seed in json.loads(_SEEDS.read_text()):
        dataset = await crud.benchmark_dataset(session, seed["name"]) or BenchmarkDataset()
        for name, value in seed.items():
            setattr(dataset, name, value)
        session.add(dataset)
