from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints

from budapp.commons.paging import Paging
from budapp.commons.schemas import Name, OptionalText, Schema

Identifier = Annotated[
    str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{1,48}[a-z0-9]$"), StringConstraints(to_lower=True)
]
"""What a tenant is called in addresses; its Keycloak realm has the same name, and it never changes."""

TenantName = Annotated[str, StringConstraints(min_length=1, max_length=100, to_lower=True)]
"""An identifier as somebody types it who signs in; it may be no tenant's."""

Description = Annotated[str, StringConstraints(strip_whitespace=True, max_length=400)]


class TenantQuery(Paging):
    """With `search`, `name` is looked for in names; without, it must be the tenant's name."""

    name: OptionalText = None


class TenantView(Schema):
    id: UUID
    name: str
    tenant_identifier: str = Field(
        description="What the tenant is called in addresses; its Keycloak realm has the same name"
    )
    description: str | None
    is_active: bool
    is_platform: bool = Field(description="Whether it is the platform's own tenant")
    created_at: datetime
    modified_at: datetime


class TenantUpdate(Schema):
    name: Name | None = None
    description: Description | None = None
