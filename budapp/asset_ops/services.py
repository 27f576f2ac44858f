"""The icons that come with the service."""

from budapp.asset_ops import crud
from budapp.asset_ops.schemas import IconQuery
from budapp.commons.crud import Page
from budapp.commons.database import ReadSession


async def list_icons(session: ReadSession, query: IconQuery) -> Page:
    """Return a page of the icons."""
    return await crud.page_of_icons(session, query)
