from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, bindparam, case, func, literal_column, null, select

from budapp.api_key_ops.models import Credential
from budapp.commons.crud import Crud, Page, prepared
from budapp.commons.database import ReadSession
from budapp.commons.errors import NotFound
from budapp.commons.paging import matching
from budapp.project_ops.models import ProjectMember
from budapp.service_account_ops.models import ServiceAccount
from budapp.service_account_ops.schemas import ServiceAccountQuery
from budapp.user_ops.columns import CUSTOM_ROLE
from budapp.user_ops.models import ServiceRights, User, UserStatus

SORTABLE = {name: getattr(ServiceAccount, name) for name in ("id", "name", "created_at", "modified_at")}


def _text(value: str) -> ColumnElement[str]:
    return literal_column(f"'{value}'")


_by_role = (User.service_rights == _text(ServiceRights.ROLE)) & User.custom_role_id.is_(None)
_keys = select(func.count()).where(Credential.user_id == ServiceAccount.id).correlate(ServiceAccount).scalar_subquery()
_COLUMNS: list[Any] = [
    *(
        getattr(ServiceAccount, name)
        for name in ("id", "name", "description", "created_by", "created_at", "modified_at")
    ),
    case((_by_role, User.role), else_=null()).label("role"),
    CUSTOM_ROLE,
    (User.status == _text(UserStatus.ACTIVE)).label("enabled"),
    _keys.label("key_count"),
]


class ServiceAccountCrud(Crud[ServiceAccount]):
    """The service accounts of the caller's tenant."""

    model = ServiceAccount
    soft_deleted = False

    async def page_of_accounts(self, query: ServiceAccountQuery) -> Page:
        """Return a page of the accounts, by name."""
        return await self.page(query, self._listed(query), SORTABLE, "name")

    @prepared
    def _listed(self, query: ServiceAccountQuery) -> Select[Any]:
        return self._shown().where(*matching(query, name=ServiceAccount.name))

    def _shown(self) -> Select[Any]:
        return self.visible(*_COLUMNS).join(User, User.id == ServiceAccount.id)

    async def view(self, id: UUID) -> Row[Any]:
        """Return the columns of a `ServiceAccountView`.

        Raises:
            NotFound: the tenant has no such account.
        """
        row = await self._view().first(self.session, id=id)
        if row is None:
            raise NotFound("Service account not found")
        return row

    @prepared
    def _view(self) -> Select[Any]:
        return self._shown().where(ServiceAccount.id == bindparam("id"))

    async def user_of(self, id: UUID, *, for_update: bool = False) -> User:
        """Return the row that says what the account of the tenant may do, locked where asked."""
        statement = select(User).where(User.id == id, User.tenant_id == self.caller.tenant_id)
        return (await self.session.scalars(statement.with_for_update(of=User) if for_update else statement)).one()


async def memberships(session: ReadSession, account_id: UUID) -> dict[UUID, list[str]]:
    """Return what the account may do in each project that it takes part in."""
    columns = (ProjectMember.project_id, ProjectMember.scopes)
    found = await session.execute(select(*columns).where(ProjectMember.user_id == account_id))
    return {row.project_id: row.scopes for row in found}
