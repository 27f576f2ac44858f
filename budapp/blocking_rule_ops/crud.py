from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, func, select

from budapp.blocking_rule_ops.models import BlockingRule, RuleStatus
from budapp.blocking_rule_ops.schemas import RuleQuery
from budapp.commons.crud import Crud
from budapp.commons.database import ReadSession
from budapp.commons.paging import equal
from budapp.user_ops.models import User

_ORDER = (BlockingRule.priority.desc(), BlockingRule.created_at.desc(), BlockingRule.id.desc())


class RuleCrud(Crud[BlockingRule]):
    """The rules of the caller's tenant, which is the platform's own."""

    model = BlockingRule
    soft_deleted = False

    async def page_of_rules(self, query: RuleQuery) -> tuple[int, Sequence[Row[Any]]]:
        """Return how many there are, and of a page of them each `BlockingRule` with its `created_by_name`."""
        wanted = equal(query, rule_type=BlockingRule.rule_type, status=BlockingRule.status)
        total = await self.session.scalar(self.visible(func.count()).where(*wanted)) or 0
        statement = self.visible(BlockingRule, User.name.label("created_by_name")).where(*wanted)
        statement = statement.outerjoin(User, User.id == BlockingRule.created_by).order_by(*_ORDER)
        statement = statement.limit(query.page_size).offset((query.page - 1) * query.page_size)
        rows: Sequence[Any] = (await self.session.execute(statement)).all()
        return total, rows

    async def by_status(self) -> dict[str, int]:
        """Return how many rules there are of each status."""
        statement = self.visible(BlockingRule.status, func.count()).group_by(BlockingRule.status)
        return {row[0]: row[1] for row in await self.session.execute(statement)}

    async def types(self) -> Sequence[Row[Any]]:
        """Return id, name and type of all rules."""
        statement = self.visible(BlockingRule.id, BlockingRule.name, BlockingRule.rule_type)
        rows: Sequence[Any] = (await self.session.execute(statement)).all()
        return rows


async def active(session: ReadSession) -> Sequence[BlockingRule]:
    """Return the rules that the gateway is to go by, the most important first."""
    statement = select(BlockingRule).where(BlockingRule.status == RuleStatus.ACTIVE).order_by(*_ORDER)
    return (await session.scalars(statement)).all()


async def count(session: ReadSession) -> int:
    """Return how many rules there are."""
    return await session.scalar(select(func.count()).select_from(BlockingRule)) or 0
