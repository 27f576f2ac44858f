"""The providers and models that a new installation knows."""

from budapp.commons.database import WriteSession
from budapp.model_ops.cloud_catalogue import read_catalogue, sync


async def ensure_providers(session: WriteSession) -> None:
    """Make the tables say what `providers.json` says."""
    await sync(session, await read_catalogue(None))
