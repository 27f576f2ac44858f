"""The gateway's tables of rules: worked out from PostgreSQL as a whole, after each change and again every few minutes.

They end by themselves after a day, so that a platform whose budapp is gone does not turn people away for ever; each
time that they are worked out, the day begins anew.
"""

import json
from collections.abc import Collection, Sequence
from contextlib import suppress
from datetime import timedelta
from ipaddress import ip_network
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from budapp.blocking_rule_ops import crud
from budapp.blocking_rule_ops.models import BlockingRule, RuleType
from budapp.commons.database import Database, WriteSession, after_commit, now
from budapp.commons.errors import Unavailable
from budapp.commons.outages import VALKEY, unavailable
from budapp.gateway_changes.services import next_version
from budapp.gateway_ops.entries import Entries, Entry
from budapp.gateway_ops.store import VERSIONS, GatewayStore

GLOBAL = "blocking_rules:global"
_REASON = "blocking_rule_reason:"
LASTS = timedelta(hours=24)


class RuleTables:
    """Brings the rules to the gateway."""

    def __init__(self, database: Database, valkey: Redis) -> None:
        self._database = database
        self._valkey = valkey
        self._store = GatewayStore(valkey)

    def sync_after_commit(self, session: WriteSession) -> None:
        """Bring the rules to the gateway once the unit of work is committed; where that fails, the job does."""

        async def sync() -> None:
            with suppress(Unavailable):  # counted as an outage
                await self.sync()

        after_commit(session, sync)

    async def sync(self) -> int:
        """Make the gateway's tables what PostgreSQL says, and return how many rules count.

        Raises:
            Unavailable: Valkey does not answer.
        """
        async with self._database.write() as session:
            version = await next_version(session)
        async with self._database.read() as session:
            rules = await crud.active(session)
        entries = entries_of(rules)
        try:
            await self._store.write(version, {GLOBAL, *await self._strangers(entries)}, entries)
        except (RedisError, OSError) as error:
            raise unavailable(VALKEY, None, error) from error
        return len(rules)

    async def _strangers(self, known: Collection[str]) -> list[str]:
        """Return the reasons of rules that are no more; what others have put there is left alone."""
        found = [name async for name in self._valkey.scan_iter(match=f"{_REASON}*", count=1000) if name not in known]
        ours = await self._valkey.hmget(VERSIONS, found) if found else []
        return [name for name, version in zip(found, ours, strict=True) if version is not None]


def entries_of(rules: Sequence[BlockingRule]) -> Entries:
    """Return the entries of the rules; of none where no rule counts."""
    ends = now() + LASTS
    entries = {f"{_REASON}{rule.name}": Entry(rule.reason, ends) for rule in rules if rule.reason}
    if rules:
        entries[GLOBAL] = Entry(json.dumps([_form(rule) for rule in rules], separators=(",", ":")), ends)
    return entries


def _form(rule: BlockingRule) -> dict[str, Any]:
    return {
        "id": str(rule.id),
        "project_id": None,
        "endpoint_id": None,
        "rule_type": rule.rule_type.upper(),
        "name": rule.name,
        "config": _config(rule),
        "priority": rule.priority,
        "status": rule.status.upper(),
        "action": "block",
        "expires_at": None,
        "reason": rule.reason,
    }


def _config(rule: BlockingRule) -> dict[str, Any]:
    if rule.rule_type != RuleType.IP:
        return rule.rule_config
    named: list[str] = rule.rule_config["ip_addresses"]
    single = [one for one in named if "/" not in one]
    return {"ip_addresses": single, "cidrs": [str(ip_network(one)) for one in named if "/" in one]}
