"""The public datasets that every installation knows."""

import json
from pathlib import Path

from sqlalchemy.dialects.postgresql import insert
from uuid_utils.compat import uuid7

from budapp.commons.database import WriteSession, now
from budapp.dataset_ops.models import BenchmarkDataset

_SEEDS = Path(__file__).with_name("benchmark_datasets.json")


async def ensure_benchmark_datasets(session: WriteSession) -> None:
    """Bring the datasets of `benchmark_datasets.json` into being; what is there under a name is brought up to date."""
    for seed in json.loads(_SEEDS.read_text()):
        statement = insert(BenchmarkDataset).values(id=uuid7(), **seed)
        fresh = {**seed, "modified_at": now()}
        await session.execute(statement.on_conflict_do_update(index_elements=["name"], set_=fresh))
