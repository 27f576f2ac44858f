"""The traits and datasets that a new installation knows."""

from budapp.commons.config import Settings
from budapp.commons.database import WriteSession
from budapp.commons.domain import Components
from budapp.evaluation_ops.manifest import read_manifest
from budapp.evaluation_ops.schemas import DatasetQuery
from budapp.evaluation_ops.services import list_datasets
from budapp.evaluation_ops.sync import sync
from budapp.integrations.outgoing import Outgoing


async def ensure_datasets(session: WriteSession, components: Components) -> None:
    """Sync `manifest.json`, unless the manifest comes from elsewhere and has been read already."""
    known = (await list_datasets(session, DatasetQuery(limit=1, has_gen_eval_type=False))).total
    if components[Settings].eval_manifest_url is None or not known:
        await sync(session, await read_manifest(None, components[Outgoing]))
