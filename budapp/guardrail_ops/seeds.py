"""The preset probes that a new installation knows."""

from budapp.commons.config import Settings
from budapp.commons.database import WriteSession
from budapp.commons.domain import Components
from budapp.guardrail_ops.catalog import read_catalog, sync
from budapp.guardrail_ops.crud import has_presets
from budapp.integrations.outgoing import Outgoing


async def ensure_probes(session: WriteSession, components: Components) -> None:
    """Sync `catalog.json`, unless the catalogue comes from elsewhere and has been read already."""
    if components[Settings].guardrail_catalog_url is None or not await has_presets(session):
        await sync(session, await read_catalog(None, components[Outgoing]))
