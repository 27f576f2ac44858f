"""Whom the gateway turns away. Rules are the platform's: the gateway is one for all tenants, with no other scope."""

import asyncio
from collections import Counter
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from budapp.blocking_rule_ops import crud
from budapp.blocking_rule_ops import schemas as view
from budapp.blocking_rule_ops.crud import RuleCrud
from budapp.blocking_rule_ops.models import BlockingRule, RuleStatus, RuleType
from budapp.blocking_rule_ops.tables import RuleTables
from budapp.commons.access import Caller
from budapp.commons.database import ReadSession, WriteSession, now, release
from budapp.commons.errors import BadRequest, Conflict, PeerFailed, Unavailable, UnprocessableContent
from budapp.commons.integrity import conflict_on
from budapp.integrations.blocking import Blocked, blocked
from budapp.integrations.dapr import DaprClient

MOST_RULES = 1_000
"""The gateway looks at each of them for each request."""
_COUNTED = timedelta(days=30)
_WEEK = timedelta(days=7)


async def get_rule(session: ReadSession, caller: Caller, rule_id: UUID) -> BlockingRule:
    """Return the rule, or raise `NotFound`."""
    return await RuleCrud(session, caller).get(rule_id)


class BlockingRules:
    """What is done with rules; each change is brought to the gateway once it is committed."""

    def __init__(self, tables: RuleTables, dapr: DaprClient) -> None:
        self._tables = tables
        self._dapr = dapr

    async def page(self, session: ReadSession, caller: Caller, query: view.RuleQuery) -> view.RuleList:
        """Return a page of the rules, the most important first, with how often each has applied lately."""
        total, rows = await RuleCrud(session, caller).page_of_rules(query)
        await release(session)
        counts = await self._counts() if rows else None
        items = [_view(row.BlockingRule, row.created_by_name, counts) for row in rows]
        return view.RuleList(items=items, total=total, page=query.page, page_size=query.page_size)

    async def get(self, session: ReadSession, caller: Caller, rule_id: UUID) -> view.RuleView:
        """Return a rule with how often it has applied lately, or raise `NotFound`."""
        rule = await get_rule(session, caller, rule_id)
        await release(session)
        return _view(rule, None, await self._counts())

    async def create(self, session: WriteSession, caller: Caller, data: view.RuleCreate) -> view.RuleView:
        """Make a rule.

        Raises:
            Conflict: there is one of that name.
            BadRequest: there are too many.
        """
        if await crud.count(session) >= MOST_RULES:
            raise BadRequest(f"There are {MOST_RULES} rules; delete some, or put addresses together in one")
        rule = BlockingRule(
            tenant_id=caller.tenant_id,
            created_by=caller.user_id,
            rule_config=data.rule_config.stored(),
            **data.model_dump(exclude={"rule_config", *view.Scoped.model_fields}),
        )
        session.add(rule)
        await self._flush(session)
        return _view(rule, caller.name, None)

    async def update(
        self, session: WriteSession, caller: Caller, rule_id: UUID, data: view.RuleUpdate
    ) -> view.RuleView:
        """Change what was sent.

        Raises:
            NotFound: no such rule.
            BadRequest: it is to be of another type.
            UnprocessableContent: the configuration does not fit its type.
            Conflict: there is another one of that name.
        """
        rule = await RuleCrud(session, caller).get(rule_id, for_update=True)
        if data.rule_type not in {None, rule.rule_type}:
            raise BadRequest("The type of a rule can't be changed; make another one", param="rule_type")
        changes = data.changes()
        if data.rule_config is not None:
            _check_config(data.rule_config, RuleType(rule.rule_type))
            changes["rule_config"] = data.rule_config.stored()
        for name, value in changes.items():
            setattr(rule, name, value)
        await self._flush(session)
        return _view(rule, None, None)

    async def delete(self, session: WriteSession, caller: Caller, rule_id: UUID) -> None:
        """Delete a rule, or raise `NotFound`."""
        await session.delete(await RuleCrud(session, caller).get(rule_id, for_update=True))
        self._tables.sync_after_commit(session)

    async def sync(self) -> int:
        """Bring all rules to the gateway, and return how many count; `Unavailable` where Valkey does not answer."""
        return await self._tables.sync()

    async def check_counts(self) -> int:
        """Ask budmetrics, and return how often the gateway has turned somebody away in the last 30 days."""
        return (await blocked(self._dapr, now() - _COUNTED, now())).total_blocked

    async def stats(self, session: ReadSession, caller: Caller, query: view.StatsQuery) -> view.RuleStats:
        """Return how many rules there are, and what they have done: in the period, today and this week."""
        start, end = _period(query)
        statuses = await RuleCrud(session, caller).by_status()
        types = await RuleCrud(session, caller).types()
        await release(session)
        at = now()
        midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
        found, today, week = await asyncio.gather(
            blocked(self._dapr, start, end),
            blocked(self._dapr, midnight, at),
            blocked(self._dapr, at - _WEEK, at),
        )
        type_of = {name: row.rule_type for row in types for name in (row.name, str(row.id))}
        by_type: Counter[RuleType] = Counter()
        for name, count in found.blocked_by_rule.items():
            if name in type_of:
                by_type[RuleType(type_of[name])] += count
        return view.RuleStats(
            total_rules=sum(statuses.values()),
            active_rules=statuses.get(RuleStatus.ACTIVE, 0),
            inactive_rules=statuses.get(RuleStatus.INACTIVE, 0),
            expired_rules=statuses.get(RuleStatus.EXPIRED, 0),
            total_blocks_today=today.total_blocked,
            total_blocks_week=week.total_blocked,
            top_blocked_ips=[view.BlockedAddress.model_validate(one) for one in found.top_blocked_ips],
            top_blocked_countries=_countries(found),
            blocks_by_type=dict(by_type),
            blocks_timeline=[
                view.BlockedThen(timestamp=one.timestamp, count=one.blocked_count) for one in found.time_series
            ],
        )

    async def blocked(self, query: view.StatsQuery) -> view.BlockingStats:
        """Return whom the gateway has turned away most in the period."""
        start, end = _period(query)
        found = await blocked(self._dapr, start, end)
        items = [
            view.BlockedItem(timestamp=end, ip_address=one.ip, country=one.country, block_count=one.count)
            for one in found.top_blocked_ips
        ]
        return view.BlockingStats(
            items=items,
            total_blocked_ips=len(items),
            total_block_events=found.total_blocked,
            block_rate=found.block_rate,
            blocked_by_reason=found.blocked_by_reason,
        )

    async def _counts(self) -> Blocked | None:
        """Return what budmetrics counts; None where it does not answer: the rules themselves are known all the same."""
        try:
            return await blocked(self._dapr, now() - _COUNTED, now())
        except (PeerFailed, Unavailable):
            return None

    async def _flush(self, session: WriteSession) -> None:
        taken = Conflict("There is a rule of this name already; choose another", param="name")
        with conflict_on("uq_gateway_blocking_rule_name", taken):
            await session.flush()
        self._tables.sync_after_commit(session)


def _check_config(config: view.RuleConfig, rule_type: RuleType) -> None:
    try:
        config.check(rule_type)
    except ValueError as error:
        raise UnprocessableContent(str(error), param="rule_config") from error


def _period(query: view.StatsQuery) -> tuple[datetime, datetime]:
    end = query.end_time or now()
    try:
        start = query.start_time or end - _WEEK
    except OverflowError:
        raise UnprocessableContent("end_time is too early", param="end_time") from None
    if end < start or end - start > timedelta(days=732):
        raise UnprocessableContent("The period must end after it starts, within two years", param="start_time")
    return start, end


def _view(rule: BlockingRule, creator: str | None, counts: Blocked | None) -> view.RuleView:
    names = set(view.RuleView.model_fields) - {"created_by_name", "match_count", "last_matched_at", "updated_at"}
    known: dict[str, Any] = {name: getattr(rule, name) for name in names}
    matched = None
    if counts is not None:
        matched = counts.blocked_by_rule.get(str(rule.id), counts.blocked_by_rule.get(rule.name, 0))
    known["rule_config"] = view.RuleConfigView.model_validate(rule.rule_config)
    return view.RuleView(**known, created_by_name=creator, match_count=matched, updated_at=rule.modified_at)


def _countries(found: Blocked) -> list[view.BlockedCountry]:
    counts: Counter[str] = Counter()
    for one in found.top_blocked_ips:
        if one.country:
            counts[one.country] += one.count
    return [view.BlockedCountry(country=country, count=count) for country, count in counts.most_common()]
