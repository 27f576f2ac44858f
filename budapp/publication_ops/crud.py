from typing import Any
from uuid import UUID

from budapp.commons.access import Caller
from budapp.commons.crud import Crud, Page
from budapp.commons.database import ReadSession
from budapp.commons.paging import Paging
from budapp.publication_ops.models import PublicationHistory
from budapp.user_ops.models import User

_NAMES = (
    *("id", "deployment_id", "action", "performed_by", "performed_at", "action_metadata", "previous_state"),
    *("new_state", "created_at", "modified_at"),
)
_COLUMNS = tuple(getattr(PublicationHistory, name) for name in _NAMES)
SORTABLE = {name: getattr(PublicationHistory, name) for name in ("id", "performed_at", "created_at", "action")}


class PublicationCrud(Crud[PublicationHistory]):
    """The publications of one endpoint, which the caller has been found to reach."""

    model = PublicationHistory
    soft_deleted = False

    def __init__(self, session: ReadSession, caller: Caller, endpoint_id: UUID) -> None:
        super().__init__(session, caller)
        self.endpoint_id = endpoint_id

    def reach(self) -> list[Any]:
        """Add that they are the endpoint's."""
        return [*super().reach(), PublicationHistory.deployment_id == self.endpoint_id]

    async def history(self, paging: Paging) -> Page:
        """Return a page of the publications, each with `user_name` and `user_email` of who did it."""
        columns = (*_COLUMNS, User.name.label("user_name"), User.email.label("user_email"))
        statement = self.visible(*columns).join(User, User.id == PublicationHistory.performed_by)
        return await self.page(paging, statement, SORTABLE, "-performed_at")
