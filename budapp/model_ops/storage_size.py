"""How much room the files of models take."""

from budapp.commons.database import Database
from budapp.integrations.storage import Storage
from budapp.model_ops import crud
from budapp.model_ops.models import Model

_AT_ONCE = 20
_GIGABYTE = 1024**3


async def measure_models(database: Database, storage: Storage, bucket: str) -> None:
    """Write down the size of each model's files that is not known yet."""
    async with database.read() as session:
        models = await crud.without_size(session, _AT_ONCE)
    for row in models:
        found = await storage.list_objects(bucket, f"{row.local_path.strip('/')}/")
        size = sum(one.size for one in found)
        async with database.write() as session:
            model = await session.get(Model, row.id, with_for_update=True)
            if model is not None and model.local_path == row.local_path:
                model.storage_size_gb = round(size / _GIGABYTE, 6)
