"""The providers that every installation knows, and some of the models that their clouds offer."""

import json
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from uuid_utils.compat import uuid7

from budapp.commons.database import WriteSession, now
from budapp.model_ops.modalities import of_keyword
from budapp.model_ops.models import CloudModel, Provider

_SEEDS = Path(__file__).with_name("providers.json")


async def ensure_providers(session: WriteSession) -> None:
    """Bring what `providers.json` names into being; what is there already is brought up to date."""
    for seed in json.loads(_SEEDS.read_text()):
        offered = seed.pop("models", [])
        await _upsert(session, Provider, "type", seed)
        provider_id = await session.scalar(select(Provider.id).where(Provider.type == seed["type"]))
        for model in offered:
            modality, endpoints = of_keyword(model.pop("kind", "llm"))
            facts = {"modality": modality, "supported_endpoints": endpoints, "source": seed["type"]}
            await _upsert(session, CloudModel, "uri", {**model, **facts, "provider_id": provider_id})


async def _upsert(session: WriteSession, table: type[Any], key: str, values: dict[str, Any]) -> None:
    statement = insert(table).values(id=uuid7(), **values)
    fresh = {**values, "modified_at": now()}
    await session.execute(statement.on_conflict_do_update(index_elements=[key], set_=fresh))
