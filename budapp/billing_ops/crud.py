from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, and_, case, func, select
from sqlalchemy.dialects.postgresql import insert

from budapp.billing_ops.models import BillingAlert, BillingPlan, UserBilling, UserUsage
from budapp.commons.crud import Crud
from budapp.commons.database import ReadSession, WriteSession, among
from budapp.commons.scopes import UserType
from budapp.user_ops.models import User, UserStatus


class BillingCrud(Crud[UserBilling]):
    """The current cycles of the users of the caller's tenant."""

    model = UserBilling
    soft_deleted = False

    async def find_current(self, user_id: UUID, *, for_update: bool = False) -> UserBilling | None:
        statement = self.visible().where(UserBilling.user_id == user_id, UserBilling.is_current)
        found: UserBilling | None = await self.session.scalar(statement.with_for_update() if for_update else statement)
        return found

    async def find_with_plan(self, user_id: UUID) -> tuple[UserBilling, BillingPlan] | None:
        statement = self.visible(UserBilling, BillingPlan).join(BillingPlan)
        statement = statement.where(UserBilling.user_id == user_id, UserBilling.is_current)
        row = (await self.session.execute(statement)).one_or_none()
        return (row.UserBilling, row.BillingPlan) if row else None

    async def cycles_of(self, user_id: UUID, at: datetime | None = None) -> Sequence[UserBilling]:
        """Return the user's newest 200 cycles, the newest first; where asked the one of that moment."""
        statement = self.visible().where(UserBilling.user_id == user_id)
        if at is not None:
            statement = statement.where(UserBilling.billing_period_start <= at, UserBilling.billing_period_end > at)
        return (await self.session.scalars(statement.order_by(UserBilling.cycle_number.desc()).limit(200))).all()

    async def current_ids(self, moment: datetime | None = None) -> Sequence[UUID]:
        """Return the ids of the current cycles that are not suspended, where asked of those that are over."""
        statement = self.visible(UserBilling.id).where(UserBilling.is_current, ~UserBilling.is_suspended)
        if moment is not None:
            statement = statement.where(UserBilling.billing_period_end <= moment)
        return (await self.session.scalars(statement.order_by(UserBilling.id))).all()

    async def user_ids(self) -> Sequence[UUID]:
        """Return the users who have billing and are not deleted."""
        statement = self.visible(UserBilling.user_id).join(User, User.id == UserBilling.user_id)
        statement = statement.where(UserBilling.is_current, User.status != UserStatus.DELETED)
        return (await self.session.scalars(statement.order_by(UserBilling.user_id))).all()


class AlertCrud(Crud[BillingAlert]):
    """The caller's own alerts."""

    model = BillingAlert
    soft_deleted = False

    def reach(self) -> list[Any]:
        """Return the conditions for the alerts in reach."""
        return [*super().reach(), BillingAlert.user_id == self.caller.user_id]

    async def all(self) -> Sequence[BillingAlert]:
        """Return the active ones, by name."""
        statement = self.visible().where(BillingAlert.is_active).order_by(BillingAlert.name).limit(200)
        return (await self.session.scalars(statement)).all()


async def alerts_of(session: ReadSession, user_id: UUID) -> Sequence[BillingAlert]:
    """Return all alerts of the user."""
    return (await session.scalars(select(BillingAlert).where(BillingAlert.user_id == user_id))).all()


def standings() -> Any:
    """Return the select of all that limits are judged by: `User`, `UserBilling`, `BillingPlan`, `UserUsage`."""
    current = and_(UserBilling.user_id == User.id, UserBilling.is_current)
    return (
        select(User, UserBilling, BillingPlan, UserUsage)
        .outerjoin(UserBilling, current)
        .outerjoin(BillingPlan, BillingPlan.id == UserBilling.billing_plan_id)
        .outerjoin(UserUsage, UserUsage.user_id == User.id)
    )


async def standings_of(session: ReadSession, user_ids: Collection[UUID]) -> Sequence[Row[Any]]:
    """Return the columns of `standings` for the users who are not deleted."""
    statement = standings().where(among(User.id, user_ids), User.status != UserStatus.DELETED).order_by(User.id)
    rows: Sequence[Any] = (await session.execute(statement)).all()
    return rows


async def alerting(session: WriteSession, user_ids: Collection[UUID] | None = None) -> Sequence[Row[Any]]:
    """Return the active alerts, locked, each with the columns of `standings`; of all customers, or of some users."""
    statement = standings().add_columns(BillingAlert).join(BillingAlert, BillingAlert.user_id == User.id)
    whose = User.user_type == UserType.CLIENT if user_ids is None else among(User.id, user_ids)
    statement = statement.where(BillingAlert.is_active, UserBilling.id.is_not(None), whose)
    statement = statement.where(User.status != UserStatus.DELETED).order_by(BillingAlert.id)
    rows: Sequence[Any] = (await session.execute(statement.with_for_update(of=BillingAlert, skip_locked=True))).all()
    return rows


async def periods(session: ReadSession) -> Sequence[Row[Any]]:
    """Return user, tenant, start and end of all current cycles, those of the same period together."""
    columns = (UserBilling.user_id, UserBilling.tenant_id)
    period = (UserBilling.billing_period_start, UserBilling.billing_period_end)
    statement = select(*columns, *period).join(User, User.id == UserBilling.user_id)
    statement = statement.where(UserBilling.is_current, User.status != UserStatus.DELETED)
    rows: Sequence[Any] = (await session.execute(statement.order_by(*period, UserBilling.user_id))).all()
    return rows


async def note_usage(session: WriteSession, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write down what users have used in their cycles, in one statement; within a cycle a figure never falls."""
    fresh = insert(UserUsage)
    same = UserUsage.period_start == fresh.excluded.period_start
    figures = {
        name: case((same, func.greatest(getattr(UserUsage, name), fresh.excluded[name])), else_=fresh.excluded[name])
        for name in ("tokens_used", "cost_used")
    }
    before = {
        f"prev_{name}": case((same, getattr(UserUsage, f"prev_{name}")), else_=getattr(UserUsage, name))
        for name in ("tokens_used", "cost_used")
    }
    newer = UserUsage.period_start <= fresh.excluded.period_start
    period = {name: fresh.excluded[name] for name in ("period_start", "modified_at")}
    values = {**figures, **before, **period}
    await session.execute(fresh.on_conflict_do_update(index_elements=["user_id"], set_=values, where=newer), rows)


async def lock_current(session: WriteSession, billing_id: UUID) -> tuple[UserBilling, BillingPlan] | None:
    """Return a cycle that is still the current one, locked, with its plan."""
    statement = select(UserBilling, BillingPlan).join(BillingPlan)
    statement = statement.where(UserBilling.id == billing_id, UserBilling.is_current)
    row = (await session.execute(statement.with_for_update(of=UserBilling))).one_or_none()
    return (row.UserBilling, row.BillingPlan) if row else None


async def active_plans(session: ReadSession) -> Sequence[BillingPlan]:
    """Return the plans that can be had, the cheapest first."""
    statement = select(BillingPlan).where(BillingPlan.is_active)
    return (await session.scalars(statement.order_by(BillingPlan.base_monthly_price, BillingPlan.name))).all()


async def find_plan(session: ReadSession, plan_id: UUID) -> BillingPlan | None:
    plan: BillingPlan | None = await session.scalar(select(BillingPlan).where(BillingPlan.id == plan_id))
    return plan


def _is_over(moment: datetime) -> ColumnElement[bool]:
    return and_(UserBilling.is_current, ~UserBilling.is_suspended, UserBilling.billing_period_end <= moment)


async def expired(session: ReadSession, moment: datetime) -> Sequence[UUID]:
    """Return the cycles that are over and not suspended, the longest over first."""
    statement = select(UserBilling.id).where(_is_over(moment)).order_by(UserBilling.billing_period_end)
    return (await session.scalars(statement)).all()


async def lock_expired(
    session: WriteSession, billing_id: UUID, moment: datetime
) -> tuple[UserBilling, BillingPlan] | None:
    """Return a cycle that is still over and not suspended, locked, with its plan; None where somebody else has it."""
    statement = select(UserBilling, BillingPlan).join(BillingPlan).where(UserBilling.id == billing_id, _is_over(moment))
    row = (await session.execute(statement.with_for_update(of=UserBilling, skip_locked=True))).one_or_none()
    return (row.UserBilling, row.BillingPlan) if row else None
