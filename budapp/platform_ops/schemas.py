from typing import Literal, Self

from pydantic import Field

from budapp.commons.schemas import Answer, Email, Name, PageAnswer, Schema
from budapp.tenant_ops.models import Tenant
from budapp.tenant_ops.schemas import Description, Identifier, TenantView


class TenantCreate(Schema):
    name: Name
    identifier: Identifier = Field(
        description="What the tenant is called in addresses, and its Keycloak realm; it never changes"
    )
    description: Description | None = None
    administrator_email: Email


class Administrator(Schema):
    """The tenant's first super administrator; the password is shown this once, and must be changed."""

    email: str
    password: str = Field(description="Shown this once; must be changed at the first sign-in")


class TenantAnswer(Answer):
    object: Literal["tenant.get", "tenant.update", "tenant.disable", "tenant.enable"] = "tenant.get"
    tenant: TenantView

    @classmethod
    def of(cls, tenant: Tenant, done: Literal["get", "update", "disable", "enable"], message: str) -> Self:
        """Return the answer to what was done."""
        return cls(object=f"tenant.{done}", message=message, tenant=TenantView.model_validate(tenant))


class TenantCreated(Answer):
    object: Literal["tenant.create"] = "tenant.create"
    message: str = "Tenant created"
    tenant: TenantView
    administrator: Administrator


class TenantList(PageAnswer):
    object: Literal["tenant.list"] = "tenant.list"
    message: str = "Tenants found"
    tenants: list[TenantView]
