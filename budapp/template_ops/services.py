"""Templates: what kinds of use ask of a deployment."""

from budapp.commons.crud import Page
from budapp.commons.database import ReadSession
from budapp.template_ops import crud
from budapp.template_ops.schemas import TemplateQuery


async def list_templates(session: ReadSession, query: TemplateQuery) -> Page:
    """Return a page of the templates."""
    return await crud.page_of_templates(session, query)
