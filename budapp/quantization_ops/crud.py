from sqlalchemy import select

from budapp.commons.crud import Page, fetch_page
from budapp.commons.database import ReadSession
from budapp.commons.paging import matching
from budapp.quantization_ops.models import QuantizationMethod
from budapp.quantization_ops.schemas import MethodQuery

_COLUMNS = {
    name: getattr(QuantizationMethod, name)
    for name in ("id", "name", "description", "hardware_support", "method_type", "runtime_hardware_support")
}
SORTABLE = {name: _COLUMNS[name] for name in ("id", "name")}


async def page_of_methods(session: ReadSession, query: MethodQuery) -> Page:
    """Return a page of the methods."""
    statement = select(*_COLUMNS.values()).where(*matching(query, name=QuantizationMethod.name))
    return await fetch_page(session, query, statement, SORTABLE, "name")


async def method(session: ReadSession, name: str) -> QuantizationMethod | None:
    """Return the method of this name."""
    found: QuantizationMethod | None = await session.scalar(
        select(QuantizationMethod).where(QuantizationMethod.name == name)
    )
    return found
