from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, func, or_, select
from sqlalchemy.orm import aliased

from budapp.audit.models import AuditEntry, audit_seal
from budapp.audit_ops.models import AuditDelivery, AuditRetention
from budapp.audit_ops.schemas import AuditFilter, AuditQuery
from budapp.commons.crud import Crud, Page
from budapp.commons.database import ReadSession, WriteSession, now
from budapp.commons.paging import contains
from budapp.commons.scopes import Scope
from budapp.user_ops.models import User

Whom, Who = aliased(User), aliased(User)

SORTABLE = {name: getattr(AuditEntry, name) for name in ("id", "timestamp", "created_at", "action", "resource_type")}
NAMES = (
    Whom.email.label("user_email"),
    Whom.name.label("user_name"),
    Who.email.label("actioned_by_email"),
    Who.name.label("actioned_by_name"),
)


class AuditCrud(Crud[AuditEntry]):
    """The tenant's trail for who manages its users; for everybody else what they did or what was done to them."""

    model = AuditEntry
    soft_deleted = False

    def reach(self) -> list[Any]:
        conditions = super().reach()
        if self.caller.is_client or self.caller.status != "active" or not self.caller.may(Scope.USER_MANAGE):
            own = self.caller.user_id
            conditions.append(or_(AuditEntry.user_id == own, AuditEntry.actioned_by == own))
        return conditions

    def _named(self) -> Select[Any]:
        return _with_names(self.visible(*AuditEntry.__table__.columns, *NAMES))

    async def page_of_records(self, query: AuditQuery) -> Page:
        return await self.page(query, self._named().where(*filtered(query)), SORTABLE, "-timestamp")

    async def named(self, id: UUID) -> Row[Any] | None:
        """Return the entry with the names of who and whom."""
        row: Row[Any] | None = (await self.session.execute(self._named().where(AuditEntry.id == id))).one_or_none()
        return row

    async def plain(self, ids: list[UUID]) -> dict[UUID, dict[str, Any]]:
        """Return those of the entries that are in reach, with the position of each in the chain."""
        statement = self.visible(*AuditEntry.__table__.columns, audit_seal.c.position)
        statement = statement.outerjoin(audit_seal, audit_seal.c.entry_id == AuditEntry.id)
        rows = await self.session.execute(statement.where(AuditEntry.id.in_(ids)))
        return {row["id"]: dict(row) for row in rows.mappings()}

    async def counts(self, query: AuditFilter) -> Row[Any]:
        """Return the numbers of entries, users, changed resources and failures."""
        failed = AuditEntry.details["success"].astext == "false"
        updated = AuditEntry.action == "update"
        statement = self.visible(
            func.count().label("total_records"),
            func.count(AuditEntry.user_id.distinct()).label("unique_users"),
            func.count(AuditEntry.resource_id.distinct()).filter(updated).label("unique_resources_updated"),
            func.count().filter(failed).label("failure_events_count"),
        )
        row: Row[Any] = (await self.session.execute(statement.where(*filtered(query)))).one()
        return row

    async def most_common(self, column: Any, query: AuditFilter) -> list[dict[str, Any]]:
        """Return the ten most common values of the column, with their counts."""
        count = func.count().label("count")
        statement = self.visible(column, count).where(*filtered(query), column.is_not(None))
        rows = await self.session.execute(statement.group_by(column).order_by(count.desc(), column).limit(10))
        return [dict(row) for row in rows.mappings()]

    async def sealed_after(self, position: int, query: AuditFilter, limit: int) -> list[dict[str, Any]]:
        """Return the next sealed entries in reach, in the order of the chain, with their seals and names."""
        seals = [column.label(f"seal_{column.key}") for column in audit_seal.c if column.key != "position"]
        statement = self.visible(*AuditEntry.__table__.columns, audit_seal.c.position, *seals, *NAMES)
        statement = _with_names(statement).join(audit_seal, audit_seal.c.entry_id == AuditEntry.id)
        statement = statement.where(audit_seal.c.chain_id == self.caller.tenant_id, audit_seal.c.position > position)
        rows = await self.session.execute(
            statement.where(*filtered(query)).order_by(audit_seal.c.position).limit(limit)
        )
        return [dict(row) for row in rows.mappings()]


def _with_names(statement: Select[Any]) -> Select[Any]:
    whom, who = Whom.id == AuditEntry.user_id, Who.id == AuditEntry.actioned_by
    return statement.outerjoin(Whom, whom).outerjoin(Who, who)


def filtered(query: AuditFilter) -> list[Any]:
    """Return the conditions that the filters stand for."""
    names = ("user_id", "actioned_by", "action", "resource_type", "resource_id", "ip_address")
    conditions = [
        getattr(AuditEntry, name) == getattr(query, name) for name in names if getattr(query, name) is not None
    ]
    if query.start_date is not None:
        conditions.append(AuditEntry.timestamp >= query.start_date)
    if query.end_date is not None:
        conditions.append(AuditEntry.timestamp <= query.end_date)
    if query.resource_name is not None:
        conditions.append(contains(AuditEntry.resource_name, query.resource_name))
    if query.text is not None:
        conditions.append(
            or_(contains(AuditEntry.resource_name, query.text), contains(AuditEntry.ip_address, query.text))
        )
    return conditions


async def sealed_of_tenant(session: ReadSession, tenant_id: UUID, position: int, limit: int) -> list[dict[str, Any]]:
    """Return the tenant's next sealed entries, in the order of the chain."""
    statement = (
        select(*AuditEntry.__table__.columns, audit_seal.c.position, audit_seal.c.chain_hash)
        .join(audit_seal, audit_seal.c.entry_id == AuditEntry.id)
        .where(audit_seal.c.chain_id == tenant_id, audit_seal.c.position > position)
        .order_by(audit_seal.c.position)
        .limit(limit)
    )
    return [dict(row) for row in (await session.execute(statement)).mappings()]


async def retention_of(session: ReadSession, tenant_id: UUID) -> AuditRetention | None:
    found: AuditRetention | None = await session.scalar(
        select(AuditRetention).where(AuditRetention.tenant_id == tenant_id)
    )
    return found


async def retentions(session: ReadSession) -> list[tuple[UUID, int]]:
    rows = await session.execute(select(AuditRetention.tenant_id, AuditRetention.days))
    return [(row.tenant_id, row.days) for row in rows]


async def delivery_of(session: ReadSession, tenant_id: UUID, *, for_update: bool = False) -> AuditDelivery | None:
    statement = select(AuditDelivery).where(AuditDelivery.tenant_id == tenant_id)
    found: AuditDelivery | None = await session.scalar(statement.with_for_update() if for_update else statement)
    return found


async def due_deliveries(session: ReadSession) -> list[AuditDelivery]:
    return list(await session.scalars(select(AuditDelivery).where(AuditDelivery.next_attempt_at <= now())))


async def last_to_remove(session: ReadSession, tenant_id: UUID, before: Any, start: int, limit: int) -> int:
    """Return the position up to which all entries are older; stops at a seal whose entry is missing."""
    seal = audit_seal.c
    some = (
        select(seal.position, AuditEntry.timestamp)
        .outerjoin(AuditEntry.__table__, AuditEntry.id == seal.entry_id)
        .where(seal.chain_id == tenant_id, seal.position > start, seal.position <= start + limit)
        .subquery()
    )
    stays = select(func.min(some.c.position)).where(or_(some.c.timestamp.is_(None), some.c.timestamp >= before))
    first = await session.scalar(stays)
    if first is not None:
        return int(first) - 1
    return int(await session.scalar(select(func.max(some.c.position))) or start)


async def first_position(session: ReadSession, tenant_id: UUID) -> int | None:
    """Return where the tenant's chain begins now."""
    oldest = select(audit_seal.c.position).where(audit_seal.c.chain_id == tenant_id).order_by(audit_seal.c.position)
    found: int | None = await session.scalar(oldest.limit(1))
    return found


async def remove_until(session: WriteSession, tenant_id: UUID, position: int) -> int:
    """Remove the tenant's entries up to the position of the chain, and return how many there were."""
    removed: int = (await session.execute(select(func.audit_remove_until(tenant_id, position)))).scalar_one()
    return removed
