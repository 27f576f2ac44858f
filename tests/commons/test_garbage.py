"""Collections spare what a process holds for good, and are seen in a metric."""

import gc

from prometheus_client import REGISTRY

from budapp.commons.config import Settings
from budapp.main import create_app


def seconds() -> float:
    return REGISTRY.get_sample_value("python_gc_seconds_total", {"generation": "2"}) or 0


async def test_what_is_there_when_serving_begins_is_left_out_of_collections(settings: Settings, migrated: None) -> None:
    gc.unfreeze()
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        assert gc.get_freeze_count() > 100_000
        assert gc.get_threshold() == (5_000, 50, 100)
        before = seconds()
        gc.collect()
        assert seconds() > before
