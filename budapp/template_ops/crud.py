from sqlalchemy import select

from budapp.commons.crud import Page, fetch_page
from budapp.commons.database import ReadSession
from budapp.commons.paging import matching
from budapp.template_ops.models import ModelTemplate
from budapp.template_ops.schemas import TemplateQuery

_COLUMNS = {
    name: getattr(ModelTemplate, name)
    for name in (
        *("id", "name", "description", "icon", "template_type", "avg_sequence_length", "avg_context_length"),
        *("per_session_tokens_per_sec", "ttft", "e2e_latency", "created_at", "modified_at"),
    )
}
SORTABLE = {name: _COLUMNS[name] for name in ("id", "name", "template_type", "created_at", "modified_at")}


async def page_of_templates(session: ReadSession, query: TemplateQuery) -> Page:
    """Return a page of the templates."""
    texts = {name: _COLUMNS[name] for name in ("name", "description", "template_type")}
    statement = select(*_COLUMNS.values()).where(*matching(query, **texts))
    return await fetch_page(session, query, statement, SORTABLE, "created_at,name")
