"""How much room the files of models take."""

from functools import partial
from typing import Any

from sqlalchemy import Row

from budapp.commons.database import Database
from budapp.commons.errors import Unavailable
from budapp.commons.isolation import each_isolated
from budapp.integrations.storage import Storage
from budapp.model_ops import crud

_IN_ONE_RUN = 20
_JOB = "measure_models"
_GIGABYTE = 1024**3


async def measure_models(database: Database, storage: Storage, bucket: str) -> None:
    """Write down the size of each model's files that is not known yet."""
    async with database.read() as session:
        models = await crud.without_size(session, _JOB, _IN_ONE_RUN)
    measure = partial(_measure, database, storage, bucket)
    await each_isolated(database, _JOB, models, measure, key=lambda row: row.id, passing=(Unavailable,))


async def _measure(database: Database, storage: Storage, bucket: str, row: Row[Any]) -> None:
    found = await storage.list_objects(bucket, f"{row.local_path.strip('/')}/")
    size = sum(one.size for one in found)
    async with database.write() as session:
        model = await crud.lock_model(session, row.id)
        if model is not None and model.local_path == row.local_path:
            model.storage_size_gb = round(size / _GIGABYTE, 6)
