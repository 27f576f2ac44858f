"""The providers and models that a new installation knows."""

from budapp.commons.config import Settings
from budapp.commons.database import WriteSession
from budapp.commons.domain import Components
from budapp.integrations.outgoing import Outgoing
from budapp.provider_ops.catalog import read_catalog, sync
from budapp.provider_ops.services import has_providers


async def ensure_providers(session: WriteSession, components: Components) -> None:
    """Sync `providers.json`, unless the catalog comes from elsewhere and is there already."""
    if components[Settings].catalog_source is None or not await has_providers(session):
        await sync(session, await read_catalog(None, components[Outgoing]))
