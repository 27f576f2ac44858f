"""The providers that every installation knows, and some of the models that their clouds offer."""

import json
from pathlib import Path

from sqlalchemy import select

from budapp.commons.database import WriteSession
from budapp.commons.seeds import upsert
from budapp.model_ops.modalities import of_keyword
from budapp.model_ops.models import CloudModel, Provider

_SEEDS = Path(__file__).with_name("providers.json")


async def ensure_providers(session: WriteSession) -> None:
    """Bring what `providers.json` names into being; what is there already is brought up to date."""
    for seed in json.loads(_SEEDS.read_text()):
        offered = seed.pop("models", [])
        await upsert(session, Provider, "type", seed)
        provider_id = await session.scalar(select(Provider.id).where(Provider.type == seed["type"]))
        for model in offered:
            modality, endpoints = of_keyword(model.pop("kind", "llm"))
            facts = {"modality": modality, "supported_endpoints": endpoints, "source": seed["type"]}
            await upsert(session, CloudModel, "uri", {**model, **facts, "provider_id": provider_id})
