from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select

from budapp.cloud_provider_ops.models import CloudCredential, CloudProvider
from budapp.commons.crud import Crud
from budapp.commons.database import ReadSession
from budapp.commons.errors import NotFound

MAX_SHOWN = 1000


class CredentialCrud(Crud[CloudCredential]):
    """The tenant's credentials of clouds."""

    model = CloudCredential
    soft_deleted = False

    async def shown(self, *, provider_id: UUID | None = None, id: UUID | None = None) -> Sequence[Row[Any]]:
        """Return credentials, the newest first, as `CloudCredentialView` columns."""
        statement = self.visible(
            CloudCredential.id,
            CloudCredential.provider_id,
            CloudCredential.credential_name,
            CloudCredential.created_at,
            CloudCredential.summary.label("credential_summary"),
            CloudProvider.name.label("provider_name"),
            CloudProvider.description.label("provider_description"),
            CloudProvider.logo_url,
        ).join(CloudProvider, CloudProvider.id == CloudCredential.provider_id)
        if provider_id is not None:
            statement = statement.where(CloudCredential.provider_id == provider_id)
        if id is not None:
            statement = statement.where(CloudCredential.id == id)
        newest = statement.order_by(CloudCredential.created_at.desc(), CloudCredential.id.desc()).limit(MAX_SHOWN)
        rows: Sequence[Row[Any]] = (await self.session.execute(newest)).all()
        return rows


async def providers(session: ReadSession) -> Sequence[CloudProvider]:
    """Return all providers, by name."""
    return (await session.scalars(select(CloudProvider).order_by(CloudProvider.name))).all()


async def provider(session: ReadSession, id: UUID) -> CloudProvider:
    """Return a provider, or raise `NotFound`."""
    found: CloudProvider | None = await session.scalar(select(CloudProvider).where(CloudProvider.id == id))
    if found is None:
        raise NotFound("Cloud provider not found", param="provider_id")
    return found


async def credential_of_tenant(session: ReadSession, tenant_id: UUID, id: UUID) -> CloudCredential | None:
    """Return a credential of the tenant, whoever has stored it."""
    mine = (CloudCredential.tenant_id == tenant_id, CloudCredential.id == id)
    found: CloudCredential | None = await session.scalar(select(CloudCredential).where(*mine))
    return found
