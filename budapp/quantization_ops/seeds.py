"""The methods that every installation knows."""

import json
from pathlib import Path

from budapp.commons.database import WriteSession
from budapp.commons.domain import Components
from budapp.commons.seeds import upsert
from budapp.quantization_ops.models import QuantizationMethod

_SEEDS = Path(__file__).with_name("methods.json")


async def ensure_methods(session: WriteSession, _components: Components) -> None:
    """Bring the methods of `methods.json` into being; what is there under a name is brought up to date."""
    for seed in json.loads(_SEEDS.read_text()):
        await upsert(session, QuantizationMethod, "name", seed)
