"""`usage_limit:*`: who may go on, and who has used up what their plan gives.

The gateway adds to the figures in the entries itself. So what is written is the most that anybody has counted in the
cycle: the gateway, or budmetrics as it was last heard of.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from budapp.billing_ops.alerts import check_all
from budapp.billing_ops.limits import Standing, Used, limit_of
from budapp.billing_ops.usage import limits_of, take_over_usage
from budapp.commons.database import Database, now
from budapp.commons.errors import PeerFailed, Unavailable
from budapp.commons.logging import get_logger
from budapp.gateway_changes import services as changes
from budapp.gateway_ops import crud, entries
from budapp.gateway_ops.entries import Entry
from budapp.gateway_ops.store import GatewayStore
from budapp.integrations.dapr import DaprClient

logger = get_logger(__name__)

LASTS = timedelta(seconds=5400)
"""After so long without being renewed, an entry ends, and the gateway lets the user go on."""
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class UsageLimits:
    """The entries, as PostgreSQL and the gateway's own counts say."""

    database: Database
    store: GatewayStore

    async def renew_all(self, tenant_id: UUID | None = None) -> int:
        """Write the entries of all who have a plan or a key, and return their number."""
        async with self.database.read() as session:
            user_ids = await crud.limited_users(session, tenant_id)
        for first in range(0, len(user_ids), _AT_ONCE):
            async with self.database.write() as session:
                version = await changes.next_version(session)
            await self.renew(user_ids[first : first + _AT_ONCE], version)
        return len(user_ids)

    async def renew(self, user_ids: Collection[UUID], version: int) -> None:
        """Write the entries of the users; who is deleted has none.

        Args:
            user_ids: whose.
            version: drawn before this was called.
        """
        if not user_ids:
            return
        async with self.database.read() as session:
            standings = await limits_of(session, user_ids)
        there = await self.store.read([entries.usage_limit(user_id) for user_id in user_ids])
        counted = {name: used for name, entry in there.items() if (used := _counted(entry)) is not None}
        at = now()
        limits = [limit_of(one, at, counted.get(entries.usage_limit(one.user.id))) for one in standings]
        names = {entries.usage_limit(user_id) for user_id in user_ids}
        await self.store.write(version, names, entries.usage_limit_entries(limits, at + LASTS))
        await self.store.clear_counts(_in_a_new_cycle(standings, counted))


async def sync(limits: UsageLimits, dapr: DaprClient) -> None:
    """Take over from budmetrics what was used, tell who wanted to be told, and renew all entries.

    Where budmetrics does not answer, what is known goes on counting.
    """
    try:
        await take_over_usage(limits.database, dapr)
    except (PeerFailed, Unavailable) as error:
        logger.warning("usage_not_taken_over", reason=str(error))
    await check_all(limits.database)
    await limits.renew_all()


def _counted(entry: Entry) -> Used | None:
    """Return what the gateway has counted; None where the entry has no cycle, or makes no sense."""
    try:
        found = json.loads(entry.value)
        start = datetime.fromisoformat(found["billing_cycle_start"])
        return Used(start, int(found["tokens_used"]), Decimal(str(found["cost_used"])))
    except (ValueError, TypeError, KeyError, ArithmeticError):
        return None


def _in_a_new_cycle(standings: Sequence[Standing], counted: Mapping[str, Used]) -> list[UUID]:
    found = []
    for one in standings:
        used = counted.get(entries.usage_limit(one.user.id))
        if used is not None and one.billing is not None and used.period_start != one.billing.billing_period_start:
            found.append(one.user.id)
    return found
