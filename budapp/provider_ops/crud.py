from typing import Any
from uuid import UUID

from sqlalchemy import any_, func, literal, select, true

from budapp.commons.crud import Page, fetch_page, named_colors
from budapp.commons.database import ReadSession, not_deleted
from budapp.commons.paging import Paging, matching
from budapp.provider_ops.models import CloudModel, Provider
from budapp.provider_ops.schemas import ProviderQuery

SORTABLE = {name: getattr(Provider, name) for name in ("id", "name", "type", "position", "created_at")}


async def page_of_recommended_tags(session: ReadSession, paging: Paging) -> Page:
    """Return a page of the tags of the models that clouds offer, the most used first."""
    mark = named_colors(CloudModel.tags)
    columns = (mark.c.name.label("id"), mark.c.name, func.min(mark.c.color).label("color"), func.count().label("count"))
    found = select(*columns).select_from(CloudModel).join(mark, true()).where(not_deleted(CloudModel))
    tags = found.group_by(mark.c.name).subquery()
    sortable = {name: tags.c[name] for name in ("id", "name", "count")}
    return await fetch_page(session, paging, select(tags), sortable, "-count,name")


async def page_of_providers(session: ReadSession, query: ProviderQuery) -> Page:
    """Return a page of the providers."""
    names = ("id", "name", "description", "type", "icon", "capabilities", "position", "created_at")
    statement = select(*(getattr(Provider, name) for name in names)).where(Provider.is_active)
    if query.capabilities is not None:
        statement = statement.where(literal(query.capabilities) == any_(Provider.capabilities))
    statement = statement.where(*matching(query, name=Provider.name))
    return await fetch_page(session, query, statement, SORTABLE, "position,name")


async def provider(session: ReadSession, *conditions: Any) -> Provider | None:
    """Return the active provider."""
    found: Provider | None = await session.scalar(select(Provider).where(Provider.is_active, *conditions))
    return found


async def cloud_model(session: ReadSession, cloud_model_id: UUID) -> CloudModel | None:
    """Return the cloud model."""
    mine = (CloudModel.id == cloud_model_id, not_deleted(CloudModel))
    found: CloudModel | None = await session.scalar(select(CloudModel).where(*mine))
    return found


async def offer(session: ReadSession, source: str, uri: str) -> CloudModel | None:
    """Return the cloud model of the provider's with the uri, whatever the case."""
    mine = (CloudModel.source == source, func.lower(CloudModel.uri) == uri.lower(), not_deleted(CloudModel))
    found: CloudModel | None = await session.scalar(select(CloudModel).where(*mine))
    return found
