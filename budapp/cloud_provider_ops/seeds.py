"""The providers that every installation knows."""

import json
from pathlib import Path

from budapp.cloud_provider_ops.models import CloudProvider
from budapp.commons.database import WriteSession
from budapp.commons.domain import Components
from budapp.commons.seeds import upsert

_SEEDS = Path(__file__).with_name("providers.json")


async def ensure_cloud_providers(session: WriteSession, _components: Components) -> None:
    """Bring the providers of `providers.json` into being; what is there under an id is brought up to date."""
    for seed in json.loads(_SEEDS.read_text(encoding="utf-8")):
        await upsert(session, CloudProvider, "unique_id", seed)
