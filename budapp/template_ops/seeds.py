"""The templates that every installation knows."""

import json
from pathlib import Path

from budapp.commons.database import WriteSession
from budapp.commons.domain import Components
from budapp.commons.seeds import upsert
from budapp.template_ops.models import ModelTemplate

_SEEDS = Path(__file__).with_name("templates.json")


async def ensure_templates(session: WriteSession, _components: Components) -> None:
    """Bring the templates of `templates.json` into being; what is there under a name is brought up to date."""
    for seed in json.loads(_SEEDS.read_text()):
        await upsert(session, ModelTemplate, "name", seed)
