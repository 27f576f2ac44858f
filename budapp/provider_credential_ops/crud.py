from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import JSONB

from budapp.commons.crud import Crud, Page
from budapp.commons.database import ReadSession
from budapp.commons.paging import equal, matching
from budapp.provider_credential_ops import hooks
from budapp.provider_credential_ops.models import ProviderCredential
from budapp.provider_credential_ops.schemas import CredentialQuery
from budapp.provider_ops.models import Provider

SORTABLE = {name: getattr(ProviderCredential, name) for name in ("id", "name", "type", "created_at", "modified_at")}


class ProviderCredentialCrud(Crud[ProviderCredential]):
    """The provider credentials of the tenant; whoever may deploy may use them all."""

    model = ProviderCredential
    soft_deleted = False

    async def page_of_credentials(self, query: CredentialQuery) -> Page:
        """Return a page of them, with what is shown of their fields."""
        shown = ProviderCredential.settings.op("||", return_type=JSONB())(ProviderCredential.masked)
        statement = self.visible(
            *SORTABLE.values(),
            shown.label("other_provider_creds"),
            Provider.icon.label("provider_icon"),
            self.hooks.one(hooks.endpoint_count)(ProviderCredential.id).label("num_of_endpoints"),
        )
        statement = statement.outerjoin(Provider, Provider.id == ProviderCredential.provider_id)
        filters = equal(query, type=ProviderCredential.type, id=ProviderCredential.id)
        statement = statement.where(*filters, *matching(query, name=ProviderCredential.name))
        return await self.page(query, statement, SORTABLE)


async def find(session: ReadSession, tenant_id: UUID, credential_id: UUID) -> ProviderCredential | None:
    """Return the tenant's credential."""
    mine: Any = (ProviderCredential.tenant_id == tenant_id, ProviderCredential.id == credential_id)
    found: ProviderCredential | None = await session.scalar(select(ProviderCredential).where(*mine))
    return found
