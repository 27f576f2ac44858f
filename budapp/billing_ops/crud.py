from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, and_, select

from budapp.billing_ops.models import BillingPlan, UserBilling
from budapp.commons.crud import Crud
from budapp.commons.database import ReadSession, WriteSession
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

    async def user_ids(self) -> Sequence[UUID]:
        """Return the users who have billing and are not deleted."""
        statement = self.visible(UserBilling.user_id).join(User, User.id == UserBilling.user_id)
        statement = statement.where(UserBilling.is_current, User.status != UserStatus.DELETED)
        return (await self.session.scalars(statement.order_by(UserBilling.user_id))).all()


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
