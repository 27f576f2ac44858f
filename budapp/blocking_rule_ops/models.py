from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from budapp.commons.auditing import Audited
from budapp.commons.database import Base, TenantOwned


class RuleType(StrEnum):
    IP = "ip_blocking"
    COUNTRY = "country_blocking"
    USER_AGENT = "user_agent_blocking"
    RATE = "rate_based_blocking"


class RuleStatus(StrEnum):
    ACTIVE = "active"
    INACTIVE = "inactive"
    EXPIRED = "expired"


class BlockingRule(TenantOwned, Base):
    """Whom the gateway turns away, whatever they ask for; the people of the platform's own tenant make these."""

    __tablename__ = "gateway_blocking_rule"
    audited = Audited("config", name="name")
    __table_args__ = (
        CheckConstraint(
            "rule_type in ('ip_blocking', 'country_blocking', 'user_agent_blocking', 'rate_based_blocking')",
            name="rule_type",
        ),
        CheckConstraint("status in ('active', 'inactive', 'expired')", name="status"),
    )

    name: Mapped[str]
    description: Mapped[str | None]
    rule_type: Mapped[str]
    rule_config: Mapped[dict[str, Any]] = mapped_column(JSONB)
    status: Mapped[str] = mapped_column(default=RuleStatus.ACTIVE)
    reason: Mapped[str | None]
    priority: Mapped[int] = mapped_column(default=0)
    created_by: Mapped[UUID] = mapped_column(ForeignKey("user.id"))


Index("uq_gateway_blocking_rule_name", BlockingRule.tenant_id, func.lower(BlockingRule.name), unique=True)
Index(
    "ix_gateway_blocking_rule_priority",
    BlockingRule.tenant_id,
    BlockingRule.priority.desc(),
    BlockingRule.created_at.desc(),
)
