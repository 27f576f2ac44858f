from sqlalchemy import select

from budapp.asset_ops.models import Icon
from budapp.asset_ops.schemas import IconQuery
from budapp.commons.crud import Page, fetch_page
from budapp.commons.database import ReadSession
from budapp.commons.paging import matching

SORTABLE = {name: getattr(Icon, name) for name in ("id", "name", "file_path", "category")}


async def page_of_icons(session: ReadSession, query: IconQuery) -> Page:
    """Return a page of the icons."""
    statement = select(*SORTABLE.values()).where(*matching(query, name=Icon.name, category=Icon.category))
    return await fetch_page(session, query, statement, SORTABLE, "category,name")
