"""The companies and hubs that models come from, and the models that clouds offer: the same for all tenants."""

from typing import Any
from uuid import UUID

from budapp.commons.crud import Page
from budapp.commons.database import ReadSession
from budapp.commons.paging import Paging
from budapp.provider_ops import catalog_crud, crud
from budapp.provider_ops.models import CloudModel, Provider
from budapp.provider_ops.schemas import ProviderQuery


async def list_providers(session: ReadSession, query: ProviderQuery) -> Page:
    """Return a page of the providers, in the order of the catalog."""
    return await crud.page_of_providers(session, query)


async def has_providers(session: ReadSession) -> bool:
    """Tell whether there is a catalog already."""
    return await catalog_crud.has_providers(session)


async def list_recommended_tags(session: ReadSession, paging: Paging) -> Page:
    """Return a page of the tags of the models that clouds offer, the most used first."""
    return await crud.page_of_recommended_tags(session, paging)


async def find_provider(session: ReadSession, *, id: UUID | None = None, type: str | None = None) -> Provider | None:
    """Return the active provider with the id, or of the type."""
    condition: Any = Provider.id == id if id is not None else Provider.type == type
    return await crud.provider(session, condition)


async def find_cloud_model(session: ReadSession, cloud_model_id: UUID) -> CloudModel | None:
    """Return the model, if a cloud offers it."""
    return await crud.cloud_model(session, cloud_model_id)


async def find_offer(session: ReadSession, source: str, uri: str) -> CloudModel | None:
    """Return what the provider offers under the uri."""
    return await crud.offer(session, source, uri)
