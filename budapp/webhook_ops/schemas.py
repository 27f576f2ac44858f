from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import Field, HttpUrl, model_validator

from budapp.commons.paging import Paging
from budapp.commons.schemas import Answer, Name, PageAnswer, Schema
from budapp.live_ops.schemas import MAX_FILTERS, EventName

EventTypes = Annotated[list[EventName], Field(max_length=MAX_FILTERS)]


class WebhookCreate(Schema):
    """Where to post what happens: in the tenant, or in one project.

    `event_types` are events, such as `endpoint.status`, or families of them, such as `endpoint`; none stands for all.
    """

    name: Name
    url: HttpUrl
    project_id: UUID | None = None
    event_types: EventTypes = []


class WebhookUpdate(Schema):
    """What is to change. `is_active` turns a webhook off, or on again."""

    name: Name | None = None
    url: HttpUrl | None = None
    event_types: EventTypes | None = None
    is_active: bool | None = None

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.model_dump(exclude_none=True):
            raise ValueError("nothing is to change")
        return self


class WebhookQuery(Paging):
    project_id: UUID | None = None


class DeliveryQuery(Paging):
    state: Literal["pending", "delivered", "failed"] | None = None


class WebhookView(Schema):
    id: UUID
    name: str
    url: str
    project_id: UUID | None
    event_types: list[str]
    is_active: bool
    disabled_reason: str | None = Field(description="Why it was turned off by itself; null where it was not")
    failing_since: datetime | None = Field(
        description="Since when all attempts have failed; null where the last one did not"
    )
    created_by: UUID
    created_at: datetime
    modified_at: datetime


class WebhookAnswer(Answer):
    """A webhook; `secret` is shown once, where it has just been made."""

    object: Literal["webhook"] = "webhook"
    message: str = "Webhook found"
    webhook: WebhookView
    secret: str | None = Field(
        default=None, description="Signs what is posted; shown once, where it has just been made"
    )

    @classmethod
    def of(cls, row: Any, message: str = "Webhook found", secret: str | None = None) -> Self:
        return cls(webhook=WebhookView.model_validate(row), message=message, secret=secret)


class WebhookDeleted(Answer):
    object: Literal["webhook.delete"] = "webhook.delete"
    message: str = "Webhook deleted"


class WebhookList(PageAnswer):
    object: Literal["webhook.list"] = "webhook.list"
    message: str = "Webhooks found"
    webhooks: list[WebhookView]


class WebhookDeliveryView(Schema):
    """An event on its way, and how that went: `answered` is the status of the last answer."""

    id: UUID
    event_id: UUID = Field(description="The id of the event, the same for every webhook that gets it")
    event_type: str = Field(description="What happened, such as `endpoint.status`")
    state: str = Field(description="`pending`, `delivered` or `failed`")
    attempts: int = Field(description="How often delivery was tried")
    next_attempt_at: datetime
    answered: int | None = Field(description="The HTTP status of the last answer; null for none")
    last_error: str | None
    delivered_at: datetime | None
    created_at: datetime


class DeliveryList(PageAnswer):
    object: Literal["webhook.delivery.list"] = "webhook.delivery.list"
    message: str = "Deliveries found"
    deliveries: list[WebhookDeliveryView]


class WebhookTested(Answer):
    object: Literal["webhook.test"] = "webhook.test"
    message: str = "The test is on its way"
    delivery: WebhookDeliveryView


class Replayed(Answer):
    """How many deliveries are made again."""

    object: Literal["webhook.replay"] = "webhook.replay"
    message: str = "The deliveries are made again"
    replayed: int = Field(description="How many deliveries are made again")
