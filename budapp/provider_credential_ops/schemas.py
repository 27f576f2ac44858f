from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, StringConstraints, field_validator, model_validator

from budapp.asset_ops.icons import monogram
from budapp.commons.paging import Paging
from budapp.commons.schemas import Answer, Name, OptionalText, PageAnswer, Schema
from budapp.provider_credential_ops import fields

ProviderType = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]{1,100}$")]
Values = Annotated[dict[Annotated[str, StringConstraints(max_length=100)], Any], Field(max_length=50)]


class CredentialQuery(Paging):
    """With `search`, `name` is looked for in names; without, it must be the credential's name."""

    name: OptionalText = None
    type: ProviderType | None = None
    id: UUID | None = None


class FieldsQuery(Schema):
    provider_name: ProviderType


class CredentialCreate(Schema):
    """`provider_id` follows from `type` where it is left out."""

    name: Name
    type: ProviderType
    provider_id: UUID | None = None
    other_provider_creds: Values = {}

    @field_validator("other_provider_creds", mode="before")
    @classmethod
    def _none_is_empty(cls, value: Any) -> Any:
        return value if value is not None else {}


class CredentialUpdate(Schema):
    """What is left out stays as it is, also among the fields; `endpoint_id` has that deployment use the credential."""

    name: Name | None = None
    type: ProviderType
    other_provider_creds: Values | None = None
    endpoint_id: UUID | None = None


class CredentialField(fields.Field):
    order: int


class CredentialFields(Schema):
    provider_name: str
    credentials: list[CredentialField]
    can_be_tested: bool = Field(description="Whether the provider can be asked if a credential is good")


class CredentialView(Schema):
    """Of secret fields only the last characters are shown."""

    id: UUID
    name: str
    type: str
    other_provider_creds: dict[str, str]


class CredentialListed(CredentialView):
    """`num_of_endpoints` counts the running deployments that use it."""

    created_at: datetime
    num_of_endpoints: int
    provider_icon: str

    @model_validator(mode="before")
    @classmethod
    def _monogram(cls, row: Any) -> Any:
        return {**row, "provider_icon": row["provider_icon"] or monogram(row["type"])} if isinstance(row, dict) else row


class ProjectInfo(Schema):
    id: UUID
    name: str


class ModelInfo(Schema):
    id: UUID
    name: str
    icon: str | None
    modality: list[str]


class LinkedEndpoint(Schema):
    id: UUID
    name: str
    status: str
    created_at: datetime
    project_info: ProjectInfo
    model_info: ModelInfo


class CredentialDetails(CredentialListed):
    """`num_of_endpoints` counts all deployments that use it; `endpoints` are those in projects that the caller sees."""

    endpoints: list[LinkedEndpoint]


class TestOutcome(Schema):
    """`valid` and `refused` are what the provider says; of `unchecked` ones it can't be asked."""

    id: UUID
    outcome: Literal["valid", "refused", "unchecked"] = Field(
        description="What the provider says; `unchecked` where it can not be asked"
    )
    message: str


class CredentialFieldsAnswer(Answer):
    object: Literal["proprietary_credential.fields"] = "proprietary_credential.fields"
    message: str = "Credential fields found"
    result: CredentialFields


class CredentialAnswer(Answer):
    object: Literal["proprietary_credential.get"] = "proprietary_credential.get"
    message: str = "Credential found"
    result: CredentialView


class CredentialCreated(Answer):
    object: Literal["proprietary_credential.create"] = "proprietary_credential.create"
    message: str = "Credential created"
    result: CredentialView


class CredentialUpdated(Answer):
    object: Literal["proprietary_credential.update"] = "proprietary_credential.update"
    message: str = "Credential changed"
    result: CredentialView


class CredentialDetailed(Answer):
    object: Literal["proprietary_credential.get"] = "proprietary_credential.get"
    message: str = "Credential found"
    result: CredentialDetails


class CredentialTested(Answer):
    object: Literal["proprietary_credential.test"] = "proprietary_credential.test"
    message: str = "Credential tested"
    result: TestOutcome


class CredentialDeleted(Answer):
    object: Literal["proprietary_credential.delete"] = "proprietary_credential.delete"
    message: str = "Credential deleted"


class CredentialList(PageAnswer):
    object: Literal["proprietary_credential.list"] = "proprietary_credential.list"
    message: str = "Credentials found"
    credentials: list[CredentialListed]
