from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import Field, SecretStr, StringConstraints, field_validator
from pydantic_core import to_json

from budapp.commons.schemas import Answer, Name, Schema

FieldName = Annotated[str, StringConstraints(min_length=1, max_length=100)]


class CloudCredentialCreate(Schema):
    """A credential; `credential_values` has what the provider's `schema_definition` asks for."""

    provider_id: UUID
    credential_name: Name
    credential_values: dict[FieldName, SecretStr] = Field(
        min_length=1, max_length=50, description="Field → value, as the `schema_definition` of the provider asks for"
    )

    def in_clear(self) -> dict[str, str]:
        """Return the values, to be sealed."""
        return {name: value.get_secret_value() for name, value in self.credential_values.items()}


class CloudProviderView(Schema):
    id: UUID
    unique_id: str = Field(description="The provider's name for other services, such as `aws`")
    name: str
    description: str
    logo_url: str
    is_enabled: bool
    schema_definition: str = Field(description="JSON: the fields of a credential, as a JSON schema")
    created_at: datetime
    modified_at: datetime

    @field_validator("schema_definition", mode="before")
    @classmethod
    def _as_text(cls, value: Any) -> Any:
        return value if isinstance(value, str) else to_json(value).decode()


class CloudProviderList(Answer):
    object: Literal["cloud_provider.list"] = "cloud_provider.list"
    message: str = "Cloud providers found"
    providers: list[CloudProviderView]


class CloudCredentialView(Schema):
    """A credential, without its values: `credential_summary` has as much of them as may be shown."""

    id: UUID
    provider_id: UUID
    provider_name: str
    provider_description: str
    icon: str
    logo_url: str
    credential_name: str
    credential_summary: dict[str, str] = Field(description="Field → value, as far as it may be shown")
    created_at: datetime

    @classmethod
    def of(cls, row: Any) -> Self:
        """Return it of a row of the crud."""
        return cls.model_validate({**row._mapping, "icon": row.logo_url})


class CloudCredentialList(Answer):
    object: Literal["cloud_credential.list"] = "cloud_credential.list"
    message: str = "Credentials found"
    credentials: list[CloudCredentialView]

    @classmethod
    def of(cls, rows: Any) -> Self:
        """Return the answer with the rows."""
        return cls(credentials=[CloudCredentialView.of(row) for row in rows])


class CloudCredentialCreated(Answer):
    object: Literal["cloud_credential.create"] = "cloud_credential.create"
    message: str = "Credential stored"
    credential: CloudCredentialView


class CloudRegion(Schema):
    id: str
    name: str


class CloudRegionList(Answer):
    object: Literal["cloud_provider.regions"] = "cloud_provider.regions"
    message: str = "Regions found"
    provider_id: UUID
    regions: list[CloudRegion]
