"""How endpoints come and go, for the workflows that see to that."""

from uuid import UUID

from budapp.commons.database import ReadSession, WriteSession
from budapp.commons.errors import Conflict
from budapp.commons.integrity import conflict_on
from budapp.endpoint_ops import crud
from budapp.endpoint_ops.models import Endpoint

NAME_TAKEN = "An endpoint with this name already exists; choose another name"

find, lock = crud.find, crud.lock


async def check_name_free(session: ReadSession, tenant_id: UUID, name: str, *, param: str = "endpoint_name") -> None:
    """Raise `Conflict`, which names the field, where an endpoint of the tenant has the name, whatever the case."""
    if await crud.has_name(session, tenant_id, name):
        raise Conflict(NAME_TAKEN, param=param)


async def add(session: WriteSession, endpoint: Endpoint) -> None:
    """Put a new endpoint in.

    Raises:
        Conflict: another one of the tenant has the name.
    """
    session.add(endpoint)
    with conflict_on("uq_endpoint_name", Conflict(NAME_TAKEN, param="endpoint_name")):
        await session.flush()
