from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, Field, HttpUrl, StringConstraints, model_validator

from budapp.audit.models import Action, ResourceType
from budapp.audit_ops.models import DeliveryKind
from budapp.commons.paging import Paging
from budapp.commons.schemas import Answer, PageAnswer, Schema
from budapp.commons.timestamps import Timestamp

Text = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[^\x00]*$")]


class AuditFilter(BaseModel):
    """Which entries are wanted; a moment without a time zone is taken for UTC."""

    user_id: UUID | None = Field(default=None, description="The user that the record is about")
    actioned_by: UUID | None = Field(default=None, description="who did it")
    action: Action | None = None
    resource_type: ResourceType | None = None
    resource_id: UUID | None = None
    resource_name: Text | None = Field(default=None, description="Part of the name")
    start_date: Timestamp | None = None
    end_date: Timestamp | None = None
    ip_address: Text | None = None

    @property
    def text(self) -> str | None:
        """What the resource's name or the address must contain."""
        return None

    def filters(self) -> dict[str, Any]:
        """Return what is filtered by, as it stands in an export."""
        return self.model_dump(mode="json", exclude_none=True, include=set(AuditFilter.model_fields))


class AuditQuery(AuditFilter, Paging):
    """Filters must all hold; `search` must be part of the resource's name or of the address."""

    limit: int = Field(default=10, ge=1, le=100)
    search: Text | None = Field(  # type: ignore[assignment]  # a flag elsewhere, a text here
        default=None, description="Part of the resource's name or of the address"
    )
    export_csv: bool = Field(default=False, description="All items, as a file")

    @property
    def text(self) -> str | None:
        """What the resource's name or the address must contain."""
        return self.search

    def filters(self) -> dict[str, Any]:
        """Return what is filtered by, as it stands in an export."""
        return super().filters() | ({"search": self.text} if self.text else {})


class AuditPeriod(BaseModel):
    """The time that is looked at."""

    start_date: Timestamp | None = None
    end_date: Timestamp | None = None


class ExportQuery(AuditFilter):
    """What to export, and how."""

    format: Literal["jsonl", "csv"] = "jsonl"


class TamperedQuery(AuditPeriod):
    """Where to look, and after how many to stop."""

    limit: int = Field(default=100, ge=1, le=1000)


class AuditRecord(Schema):
    """One entry of the trail."""

    id: UUID
    user_id: UUID | None = Field(description="The user that the record is about; null for none")
    actioned_by: UUID | None = Field(description="Who did it; null for the service itself, or somebody unknown")
    action: str = Field(description="What was done, such as `create`")
    resource_type: str = Field(description="What kind of object it was done to")
    resource_id: UUID | None = Field(description="The object; null for none")
    resource_name: str | None = Field(description="The name that the object had then")
    timestamp: datetime = Field(description="When it was done")
    details: dict[str, Any] | None = Field(
        description="What else is known of it; of an update also `changed_fields` and `changes`"
    )
    ip_address: str | None
    user_agent: str | None
    request_id: str | None
    source: str = Field(description="What it was done through")
    previous_state: dict[str, Any] | None
    new_state: dict[str, Any] | None
    record_hash: str = Field(description="HMAC of the record, which shows later changes; in hexadecimal")
    created_at: datetime
    user_email: str | None
    user_name: str | None
    actioned_by_email: str | None
    actioned_by_name: str | None

    @model_validator(mode="after")
    def _say_what_changed(self) -> Self:
        """Show the changed fields of an update side by side, as clients read them."""
        if self.details is not None and self.details.get("operation") == "update" and self.new_state is not None:
            before = self.previous_state or {}
            changes = {name: {"old": before.get(name), "new": new} for name, new in self.new_state.items()}
            self.details = {**self.details, "changed_fields": sorted(changes), "changes": changes}
        return self


class AuditRecordAnswer(Answer):
    object: Literal["audit.record"] = "audit.record"
    message: str = "Audit record found"
    data: AuditRecord


class AuditRecordList(PageAnswer):
    object: Literal["audit.record.list"] = "audit.record.list"
    message: str = "Audit records found"
    data: list[AuditRecord]


class ActionCount(Schema):
    action: str = Field(description="What was done, such as `create`")
    count: int = Field(description="How many records there are of the action")


class UserCount(Schema):
    user_id: UUID
    count: int = Field(description="How many records there are of the user")


class DateRange(Schema):
    start: datetime | None = Field(description="From when on; null for the beginning")
    end: datetime | None = Field(description="Until when; null for now")


class AuditSummary(Schema):
    """What the trail holds of a time."""

    total_records: int
    unique_users: int
    unique_resources_updated: int = Field(description="How many objects were changed")
    failure_events_count: int
    most_common_actions: list[ActionCount]
    most_active_users: list[UserCount]
    date_range: DateRange


class AuditSummaryAnswer(Answer):
    object: Literal["audit.summary"] = "audit.summary"
    message: str = "Audit summary"
    data: AuditSummary


class RecordVerdict(Schema):
    """Whether an entry is as it was written; `position` is its place in the chain, once it is sealed."""

    id: UUID
    is_valid: bool = Field(description="Whether the record is as it was written")
    position: int | None = Field(default=None, description="Its place in the chain; null until it is sealed")
    message: str


class RecordVerified(Answer):
    object: Literal["audit.record.verify"] = "audit.record.verify"
    data: RecordVerdict


class BatchVerdict(Schema):
    total: int = Field(description="How many records were asked for")
    valid: int = Field(description="How many are as they were written")
    invalid: int = Field(description="How many are not as they were written")
    results: list[RecordVerdict]


class BatchVerified(Answer):
    object: Literal["audit.verify_batch"] = "audit.verify_batch"
    message: str = "Audit records verified"
    data: BatchVerdict


class Tampered(Schema):
    total_checked: int = Field(description="How many records were checked")
    tampered_count: int
    tampered_ids: list[UUID]


class TamperedFound(Answer):
    object: Literal["audit.find_tampered"] = "audit.find_tampered"
    message: str = "Audit records checked"
    data: Tampered


class RetentionUpdate(Schema):
    """For how many days entries are kept; null keeps them for ever."""

    days: int | None = Field(ge=1, le=36_500, description="How many days records are kept; null for ever")


class RetentionAnswer(Answer):
    object: Literal["audit.retention"] = "audit.retention"
    message: str = "Entries older than this are removed"
    days: int | None = Field(description="How many days records are kept; null for ever")


class DeliveryUpdate(Schema):
    """Where entries go.

    A webhook gets `secret` for its signatures; without one, the secret that it has stays, or one is made up and shown
    in the answer, once. `position` goes on behind that entry of the chain instead of where the last one left off.
    """

    kind: DeliveryKind = Field(description="How records are delivered")
    url: HttpUrl | None = None
    secret: Annotated[str, StringConstraints(min_length=16, max_length=200)] | None = Field(
        default=None, description="Signs what is posted; without it, the one from before stays, or one is made"
    )
    position: int | None = Field(
        default=None,
        ge=0,
        description="The place in the chain behind which delivery goes on; null for where it left off",
    )

    @model_validator(mode="after")
    def _webhooks_have_an_address(self) -> Self:
        if (self.kind is DeliveryKind.WEBHOOK) != (self.url is not None):
            raise ValueError("url is required for a webhook, and allowed for nothing else")
        return self


class DeliveryView(Schema):
    kind: DeliveryKind = Field(description="How records are delivered")
    url: str | None
    position: int = Field(description="The place in the chain of the last record that was delivered")
    attempts: int = Field(description="How many attempts have failed since the last delivery")
    next_attempt_at: datetime
    last_error: str | None
    delivered_at: datetime | None


class DeliveryAnswer(Answer):
    object: Literal["audit.delivery"] = "audit.delivery"
    message: str = "This is where entries go"
    delivery: DeliveryView
    secret: str | None = Field(default=None, description="Shown once, where it has just been made")
