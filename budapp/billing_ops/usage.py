"""What has been used: taken over from budmetrics for everyone at once, and looked at against limits and alerts."""

from collections.abc import Collection, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from uuid import UUID

from uuid_utils.compat import uuid7

from budapp.billing_ops import crud
from budapp.billing_ops.limits import Standing, Used, limit_of
from budapp.billing_ops.schemas import UsageHistory, UsageHistoryRequest, UsageLimit, UsagePoint
from budapp.commons.access import Caller
from budapp.commons.database import Database, ReadSession, now, release
from budapp.commons.errors import PeerFailed, Unavailable
from budapp.integrations.budmetrics import UsageOfUser, usage_history, usage_of_users, usage_summary
from budapp.integrations.dapr import DaprClient

AT_ONCE = 1000


async def take_over_usage(database: Database, dapr: DaprClient) -> int:
    """Write down what everyone with a plan has used in their cycle, and return how many have used anything.

    Cycles of the same period are asked for in one call; whoever has used nothing keeps what is known.

    Raises:
        PeerFailed, Unavailable: budmetrics; what is known stays.
    """
    async with database.read() as session:
        rows = await crud.periods(session)
    tenant_of = {row.user_id: row.tenant_id for row in rows}
    found = 0
    for (start, end), group in groupby(rows, key=lambda row: (row.billing_period_start, row.billing_period_end)):
        everyone = [row.user_id for row in group]
        for first in range(0, len(everyone), AT_ONCE):
            used = await usage_of_users(dapr, user_ids=everyone[first : first + AT_ONCE], start=start, end=end)
            values = [_row(tenant_of[one.user_id], one, start) for one in used if one.user_id in tenant_of]
            if values:
                async with database.write() as session:
                    await crud.note_usage(session, values)
            found += len(values)
    return found


def _row(tenant_id: UUID, one: UsageOfUser, start: datetime) -> dict[str, object]:
    at = now()
    used = {"tokens_used": one.total_tokens, "cost_used": Decimal(str(one.total_cost))}
    about = {"id": uuid7(), "tenant_id": tenant_id, "user_id": one.user_id, "created_at": at, "modified_at": at}
    return {**about, "period_start": start, **used, "prev_tokens_used": 0, "prev_cost_used": 0}


async def check_limits(session: ReadSession, dapr: DaprClient, caller: Caller) -> UsageLimit:
    """Return whether the caller may go on; where budmetrics does not answer, by what it said last."""
    [row] = await crud.standings_of(session, [caller.user_id])
    standing, counted = Standing.of(row), None
    billing = standing.billing
    if billing is not None and caller.is_client:
        start, end = billing.billing_period_start, billing.billing_period_end
        await release(session)
        try:
            used = await usage_summary(dapr, user_id=caller.user_id, start=start, end=end)
        except (PeerFailed, Unavailable):
            used = None
        counted = Used(start, used.total_tokens, Decimal(str(used.total_cost))) if used is not None else None
    return limit_of(standing, now(), counted)


async def limits_of(session: ReadSession, user_ids: Collection[UUID]) -> Sequence[Standing]:
    """Return what the limits of the users follow from, of those who are not deleted."""
    return [Standing.of(row) for row in await crud.standings_of(session, user_ids)] if user_ids else []


async def history_of_usage(dapr: DaprClient, caller: Caller, data: UsageHistoryRequest) -> UsageHistory:
    """Return what the caller has used in each part of a period.

    Raises:
        PeerFailed, Unavailable: budmetrics.
    """
    period = {"start": data.start_date, "end": data.end_date}
    about = {"granularity": data.granularity, "project_id": data.project_id}
    found = await usage_history(dapr, user_id=caller.user_id, **period, **about)  # type: ignore[arg-type]
    return UsageHistory(data=[UsagePoint.model_validate(one) for one in found], granularity=data.granularity)
