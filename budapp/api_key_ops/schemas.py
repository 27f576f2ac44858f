from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from budapp.api_key_ops.models import CredentialType
from budapp.commons.paging import Paging
from budapp.commons.schemas import Answer, Money, Name, OptionalText, PageAnswer, Schema
from budapp.provider_credential_ops.schemas import CredentialView as ProviderCredentialView

MAX_ENTRIES = 200
MAX_GRACE = 30 * 24 * 3600


def _days(value: Any) -> Any:
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 4 else value


Days = Annotated[Literal[0, 30, 60, 90], BeforeValidator(_days)]
Amount = Annotated[Decimal, Field(gt=0, max_digits=18, decimal_places=6, allow_inf_nan=False)]
Budgets = Annotated[dict[UUID, Amount], Field(max_length=MAX_ENTRIES)]
Networks = Annotated[list[Annotated[str, StringConstraints(max_length=50)]], Field(max_length=MAX_ENTRIES)]
Ids = Annotated[list[UUID], Field(min_length=1, max_length=MAX_ENTRIES)]


class KeyQuery(Paging):
    """With `search`, `name` is looked for in names; without, it must be the key's name.

    Without `credential_type`, customers' users see their `client_app` keys and others `admin_app` ones.
    """

    name: OptionalText = None
    project_id: UUID | None = None
    credential_type: CredentialType | None = None


class Limits(Schema):
    """What a key may be used for: how much money, from where, for which deployments and models."""

    max_budget: Amount | None = None
    model_budgets: Budgets | None = None
    ip_whitelist: Networks | None = None
    endpoint_ids: Ids | None = Field(
        default=None, description="Deployments that the key may call; null for all of its project"
    )
    model_ids: Ids | None = Field(default=None, description="Models that the key may call; null for all")


class KeyCreate(Limits):
    """`expiry` is in days, 0 or null for never; left out, it is what the tenant has as its default.

    With `type` and `key` in place of name and project, a token of Hugging Face is kept as a provider's credential.
    """

    name: Name | None = None
    project_id: UUID | None = None
    expiry: Days | None = Field(default=None, description="After how many days it expires; 0 or null for never")
    credential_type: CredentialType | None = None
    type: Literal["huggingface"] | None = Field(
        default=None, description="Sent with `key` to keep a token of Hugging Face instead"
    )
    key: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)] | None = Field(
        default=None, description="The token to keep, where `type` is sent"
    )

    @model_validator(mode="after")
    def _is_one_of_both(self) -> Self:
        if self.type is None and (self.name is None or self.project_id is None):
            raise ValueError("name and project_id are required")
        if self.type is not None and self.key is None:
            raise ValueError("key is required with a type")
        return self


class ServiceKeyCreate(Limits):
    """A key for a service account: it calls budapp, and in a project its deployments too.

    `expiry` is in days, 0 or null for never; left out, it is what the tenant has as its default.
    """

    name: Name
    project_id: UUID | None = None
    expiry: Days | None = Field(default=None, description="After how many days it expires; 0 or null for never")


class KeyUpdate(Limits):
    """What is left out stays; null takes a limit away. `expiry` counts from now."""

    name: Name | None = None
    expiry: Days | None = Field(default=None, description="In how many days from now it expires; 0 or null for never")

    def changes(self) -> Mapping[str, Any]:
        """Return what was sent."""
        sent = self.model_dump(exclude_unset=True)
        return {name: value for name, value in sent.items() if name != "name" or value is not None}


class RotateRequest(Schema):
    """The secret before this one works for so many seconds more."""

    grace_seconds: int = Field(ge=0, le=MAX_GRACE)


class RevokeRequest(Schema):
    """All keys of one person, or all in one project; with both, those of the person in the project."""

    user_id: UUID | None = None
    project_id: UUID | None = None

    @model_validator(mode="after")
    def _is_something(self) -> Self:
        if self.user_id is None and self.project_id is None:
            raise ValueError("user_id or project_id is required")
        return self


class VerifyRequest(Schema):
    key: Annotated[str, StringConstraints(max_length=500)] = Field(description="The secret")


class PolicyUpdate(Schema):
    """`default_expiry_days` null: keys do not expire unless they are made to."""

    default_expiry_days: Annotated[int, Field(ge=1, le=3650)] | None
    notify_days: int = Field(default=7, ge=1, le=90)


class Policy(Schema):
    default_expiry_days: int | None = None
    notify_days: int = 7


class KeyProject(Schema):
    id: UUID
    name: str


class KeyOwner(Schema):
    id: UUID
    name: str


class KeyView(Schema):
    """`key` is masked; whole only in the answer to the creation and the rotation, and then never again.

    Where browsers have a key of their own, the owner's lists hold the secret encrypted for it. `spent` is what requests
    with a key that has budgets have cost, by model; null where nothing was counted yet.
    """

    id: UUID
    name: str
    key: str = Field(description="The secret, masked but for answers to creation and rotation")
    project_id: UUID
    user_id: UUID
    credential_type: CredentialType
    expiry: datetime | None = Field(description="When it expires; null for never")
    is_expired: bool
    previous_expires_at: datetime | None
    max_budget: Money | None
    model_budgets: dict[UUID, Money] | None
    spent: dict[UUID, Money] | None
    ip_whitelist: list[str] | None
    endpoint_ids: list[UUID] | None = Field(
        description="Deployments that the key may call; null for all of its project"
    )
    model_ids: list[UUID] | None = Field(description="Models that the key may call; null for all")
    created_at: datetime
    last_used_at: datetime | None


class ServiceKeyView(KeyView):
    project_id: UUID | None = Field(description="The project whose deployments it calls; null for none")  # type: ignore[assignment]  # such a key may be in no project
    issued_by: UUID | None = Field(description="Who has issued it")


class KeyListed(KeyView):
    project: KeyProject
    owner: KeyOwner


class Verdict(Schema):
    """`malformed`: no such key was ever issued, it is mistyped. `unknown`: it was revoked, or is not yours to see."""

    outcome: Literal["malformed", "unknown", "expired", "valid"] = Field(
        description="`malformed` keys were never issued; `unknown` ones are revoked, or out of reach"
    )
    id: UUID | None = None
    name: str | None = None


class KeyCreated(Answer):
    object: Literal["credential.create"] = "credential.create"
    message: str = "API key created; it is shown only here"
    result: KeyView | ProviderCredentialView


class KeyUpdated(Answer):
    object: Literal["credential.update"] = "credential.update"
    message: str = "API key changed"
    result: KeyView


class KeyRotated(Answer):
    object: Literal["credential.rotate"] = "credential.rotate"
    message: str = "API key rotated; the new one is shown only here"
    result: KeyView


class KeyDeleted(Answer):
    object: Literal["credential.delete"] = "credential.delete"
    message: str = "API key revoked"


class KeysRevoked(Answer):
    object: Literal["credential.revoke"] = "credential.revoke"
    message: str = "API keys revoked"
    revoked: int = Field(description="How many keys were revoked")


class KeyVerified(Answer):
    object: Literal["credential.verify"] = "credential.verify"
    message: str = "API key checked"
    result: Verdict


class PolicyAnswer(Answer):
    object: Literal["credential.policy"] = "credential.policy"
    message: str = "Settings of API keys found"
    result: Policy


class KeyList(PageAnswer):
    object: Literal["credential.list"] = "credential.list"
    message: str = "API keys found"
    credentials: list[KeyListed]
