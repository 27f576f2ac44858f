from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints, model_validator

from budapp.blocking_rule_ops.models import RuleStatus, RuleType
from budapp.blocking_rule_ops.patterns import MAX_PATTERN, network, pattern
from budapp.commons.schemas import Answer, OptionalText, Schema
from budapp.commons.storable import cleaned
from budapp.commons.timestamps import Timestamp


def _readable(value: str) -> str:
    if cleaned(value)[1] is not None:
        raise ValueError("holds a character that can't be stored")
    return value


RuleName = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=255), AfterValidator(_readable)
]
Description = Annotated[str, StringConstraints(strip_whitespace=True, max_length=1000), AfterValidator(_readable)]
Reason = Annotated[str, StringConstraints(strip_whitespace=True, max_length=500), AfterValidator(_readable)]
Priority = Annotated[int, Field(ge=-1_000_000, le=1_000_000)]
Network = Annotated[str, StringConstraints(max_length=60), AfterValidator(network)]
Country = Annotated[str, StringConstraints(to_upper=True, pattern=r"^[A-Za-z]{2}$")]
Pattern = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_PATTERN),
    AfterValidator(_readable),
    AfterValidator(pattern),
]


class RuleConfig(Schema):
    """What the rule's type asks for, and nothing else."""

    model_config = ConfigDict(extra="forbid")

    ip_addresses: list[Network] | None = Field(default=None, min_length=1, max_length=1_000)
    countries: list[Country] | None = Field(default=None, min_length=1, max_length=250)
    patterns: list[Pattern] | None = Field(default=None, min_length=1, max_length=100)
    threshold: int | None = Field(default=None, ge=1, le=10_000_000)
    window_seconds: int | None = Field(default=None, ge=1, le=86_400)

    def stored(self) -> dict[str, Any]:
        """Return what is kept."""
        return self.model_dump(exclude_none=True)

    def check(self, rule_type: RuleType) -> None:
        """Raise `ValueError` where something is missing, or is for another type."""
        wanted = _WANTED[rule_type]
        said = set(self.stored())
        if said != wanted:
            raise ValueError(f"rule_config of {rule_type} must say {' and '.join(sorted(wanted))}, and nothing else")


_WANTED = {
    RuleType.IP: {"ip_addresses"},
    RuleType.COUNTRY: {"countries"},
    RuleType.USER_AGENT: {"patterns"},
    RuleType.RATE: {"threshold", "window_seconds"},
}


class Scoped(Schema):
    """For what a rule is to count; the gateway knows no other scope than all of it."""

    model_config = ConfigDict(protected_namespaces=())

    project_id: OptionalText = None
    endpoint_id: OptionalText = None
    model_name: OptionalText = None

    @model_validator(mode="after")
    def _for_all(self) -> Self:
        named = [name for name in ("project_id", "endpoint_id", "model_name") if getattr(self, name) is not None]
        if named:
            raise ValueError(f"the gateway blocks for all deployments alike; leave out {', '.join(named)}")
        return self


class RuleCreate(Scoped):
    name: RuleName
    description: Description | None = None
    rule_type: RuleType
    rule_config: RuleConfig
    status: RuleStatus = RuleStatus.ACTIVE
    reason: Reason | None = Field(default=None, description="Why requests are blocked; the gateway is given it")
    priority: Priority = 0

    @model_validator(mode="after")
    def _fitting(self) -> Self:
        self.rule_config.check(self.rule_type)
        return self


class RuleUpdate(Scoped):
    """What is sent is changed; the type stays."""

    name: RuleName | None = None
    description: Description | None = None
    rule_type: RuleType | None = None
    rule_config: RuleConfig | None = None
    status: RuleStatus | None = None
    reason: Reason | None = Field(default=None, description="Why requests are blocked; the gateway is given it")
    priority: Priority | None = None

    def changes(self) -> dict[str, Any]:
        """Return what was sent; null where that means something."""
        found = {name: getattr(self, name) for name in self.model_fields_set - set(Scoped.model_fields)}
        return {name: value for name, value in found.items() if value is not None or name in {"description", "reason"}}


class RuleQuery(Schema):
    page: int = Field(default=1, ge=1, le=1_000)
    page_size: int = Field(default=20, ge=1, le=1_000)
    rule_type: RuleType | None = None
    status: RuleStatus | None = None


class RuleConfigView(Schema):
    ip_addresses: list[str] | None = None
    countries: list[str] | None = None
    patterns: list[str] | None = None
    threshold: int | None = None
    window_seconds: int | None = None


class RuleView(Schema):
    """`match_count` is of the last 30 days; null where budmetrics does not answer. When last, it does not say."""

    id: UUID
    name: str
    description: str | None
    rule_type: RuleType
    rule_config: RuleConfigView
    status: RuleStatus
    reason: str | None
    priority: int
    created_by: UUID
    created_by_name: str | None
    match_count: int | None = Field(
        default=None, description="How many requests it has blocked in 30 days; null where budmetrics does not answer"
    )
    last_matched_at: datetime | None = Field(default=None, description="Always null: budmetrics does not tell")
    created_at: datetime
    updated_at: datetime


class RuleAnswer(Answer):
    object: Literal["blocking_rule"] = "blocking_rule"
    message: str = "Blocking rule found"
    data: RuleView


class RuleList(Answer):
    object: Literal["blocking_rule.list"] = "blocking_rule.list"
    message: str = "Blocking rules found"
    items: list[RuleView]
    total: int
    page: int
    page_size: int


class RuleDeleted(Answer):
    object: Literal["blocking_rule.delete"] = "blocking_rule.delete"
    message: str = "Blocking rule deleted"
    id: UUID


class SyncRequest(Schema):
    """Everything is brought to the gateway, whatever is named."""

    force_sync: bool = False


class Synced(Answer):
    object: Literal["blocking_rule.sync"] = "blocking_rule.sync"
    message: str
    active_rules: int


class StatsQuery(Schema):
    """The last seven days, where nothing else is asked for."""

    start_time: Timestamp | None = None
    end_time: Timestamp | None = None


class BlockedAddress(Schema):
    ip: str
    country: str | None = Field(description="The country, as budmetrics names it")
    count: int = Field(description="How many of its requests were blocked")


class BlockedCountry(Schema):
    country: str = Field(description="The country, as budmetrics names it")
    count: int = Field(description="How many requests from there were blocked")


class BlockedThen(Schema):
    timestamp: datetime = Field(description="When the interval begins")
    count: int = Field(description="How many requests were blocked then")


class RuleStats(Answer):
    object: Literal["blocking_rules_stats"] = "blocking_rules_stats"
    message: str = "Counted"
    total_rules: int
    active_rules: int
    inactive_rules: int = Field(description="How many rules are turned off")
    expired_rules: int = Field(description="How many rules have expired")
    total_blocks_today: int = Field(description="How many requests were blocked since midnight, UTC")
    total_blocks_week: int = Field(description="How many requests were blocked in the last seven days")
    top_blocked_ips: list[BlockedAddress]
    top_blocked_countries: list[BlockedCountry]
    blocks_by_type: dict[RuleType, int] = Field(
        description="Type of rule → how many requests were blocked in the period"
    )
    blocks_timeline: list[BlockedThen]


class BlockedItem(Schema):
    """An address that was turned away in the period that ends at `timestamp`."""

    timestamp: datetime = Field(description="When the period ends")
    ip_address: str
    country: str | None = Field(description="The country, as budmetrics names it")
    block_count: int


class BlockingStats(Answer):
    object: Literal["blocking_stats"] = "blocking_stats"
    message: str = "Counted"
    items: list[BlockedItem]
    total_blocked_ips: int
    total_block_events: int
    block_rate: float = Field(description="How many of all requests were blocked, as budmetrics gives it")
    blocked_by_reason: dict[str, int] = Field(description="Reason → how many requests were blocked")
