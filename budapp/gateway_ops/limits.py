"""`usage_limit:*`: who may go on, and who has used up what their plan gives.

The gateway adds to the figures in the entries itself. So what is written is the most that anybody has counted in the
cycle: the gateway, or budmetrics as it was last heard of.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from budapp.billing_ops.alerts import check_all
from budapp.billing_ops.limits import Standing, Used, limit_of
from budapp.billing_ops.usage import limits_of, take_over_usage
from budapp.commons.database import Database, now
from budapp.commons.errors import PeerFailed, Unavailable
from budapp.commons.logging import get_logger
from budapp.gateway_changes import services as changes
from budapp.gateway_ops import crud, entries
from budapp.gateway_ops.entries import Entries, Entry
from budapp.gateway_ops.store import GatewayStore
from budapp.integrations.dapr import DaprClient

logger = get_logger(__name__)

LASTS = timedelta(seconds=5400)
"""After so long without being renewed, an entry ends, and the gateway lets the user go on."""
_AT_ONCE = 500
_OF_THE_WRITE = ("last_updated", "update_id")


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

    async def wrong(self, tenant_id: UUID | None = None) -> tuple[list[str], list[str]]:
        """Return the names of entries that are missing, and of those that say other than plans and usage do."""
        missing: list[str] = []
        different: list[str] = []
        async with self.database.read() as session:
            user_ids = await crud.limited_users(session, tenant_id)
            for first in range(0, len(user_ids), _AT_ONCE):
                some = user_ids[first : first + _AT_ONCE]
                there, should_be = await self._entries(await limits_of(session, some), some)
                for name, entry in should_be.items():
                    if name not in there:
                        missing.append(name)
                    elif _said(there[name]) != _said(entry):
                        different.append(name)
        return missing, different

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
        there, should_be = await self._entries(standings, user_ids)
        await self.store.write(version, {entries.usage_limit(user_id) for user_id in user_ids}, should_be)
        await self.store.clear_counts(_in_a_new_cycle(standings, there))

    async def _entries(self, standings: Sequence[Standing], user_ids: Collection[UUID]) -> tuple[Entries, Entries]:
        """Return the entries that there are of the users, and those that there should be."""
        there = await self.store.read([entries.usage_limit(user_id) for user_id in user_ids])
        at = now()
        limits = [limit_of(one, at, _counted(there.get(entries.usage_limit(one.user.id)))) for one in standings]
        return there, entries.usage_limit_entries(limits, at + LASTS)


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


def _counted(entry: Entry | None) -> Used | None:
    """Return what the gateway has counted; None where there is no entry, it has no cycle, or makes no sense."""
    if entry is None:
        return None
    try:
        found = json.loads(entry.value)
        start = datetime.fromisoformat(found["billing_cycle_start"])
        return Used(start, int(found["tokens_used"]), Decimal(str(found["cost_used"])))
    except (ValueError, TypeError, KeyError, ArithmeticError):
        return None


def _said(entry: Entry) -> Any:
    """Return what an entry says, without when and by whom it was written."""
    try:
        return {name: value for name, value in json.loads(entry.value).items() if name not in _OF_THE_WRITE}
    except (ValueError, AttributeError):
        return entry.value


def _in_a_new_cycle(standings: Sequence[Standing], there: Entries) -> list[UUID]:
    found = []
    for one in standings:
        used = _counted(there.get(entries.usage_limit(one.user.id)))
        if used is not None and one.billing is not None and used.period_start != one.billing.billing_period_start:
            found.append(one.user.id)
    return found
