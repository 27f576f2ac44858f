from uuid_utils.compat import uuid7

from budapp.blocking_rule_ops.models import BlockingRule
from tests.surface.share import Audited, SeedContext, Share, Things, Valid

_RULES = "/metrics/gateway/blocking-rules"
CONFIG = {"ip_addresses": ["203.0.113.7"]}


async def _seed(context: SeedContext) -> Things:
    rule = BlockingRule(id=uuid7(), name="Scrapers", rule_type="ip_blocking", rule_config=CONFIG, **context.owned)
    await context.add(rule)
    return {"rule_id": str(rule.id)}


share = Share(
    "blocking_rule_ops",
    seed=_seed,
    requests={
        f"POST {_RULES}": Valid(lambda t: {"name": "Bots", "rule_type": "ip_blocking", "rule_config": CONFIG}),
        f"PUT {_RULES}/{{rule_id}}": Valid(lambda t: {"priority": 5}),
        f"POST {_RULES}/sync": Valid(lambda t: {"force_sync": True}),
    },
    audited={
        f"POST {_RULES}": Audited("create", "config"),
        f"PUT {_RULES}/{{rule_id}}": Audited("update", "config"),
        f"DELETE {_RULES}/{{rule_id}}": Audited("delete", "config"),
    },
    changes_nothing={
        f"POST {_RULES}/sync": "brings to the gateway what is there already",
        f"POST {_RULES}/sync-stats": "asks budmetrics, and keeps nothing",
    },
)
