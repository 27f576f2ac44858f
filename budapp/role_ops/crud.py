from typing import Any
from uuid import UUID

from sqlalchemy import Row, func, select

from budapp.commons.crud import Crud, Page
from budapp.commons.errors import NotFound
from budapp.commons.paging import matching
from budapp.role_ops.schemas import RoleQuery, RoleView
from budapp.user_ops.models import CustomRole, User, UserPermission, UserStatus

SORTABLE = {name: getattr(CustomRole, name) for name in ("id", "name", "created_at", "modified_at")}

_users_count = (
    select(func.count())
    .where(User.custom_role_id == CustomRole.id, User.status != UserStatus.DELETED)
    .correlate(CustomRole)
    .scalar_subquery()
    .label("users_count")
)
COLUMNS = [getattr(CustomRole, name, _users_count) for name in RoleView.model_fields]


class RoleCrud(Crud[CustomRole]):
    """The custom roles of the caller's tenant."""

    model = CustomRole
    deleted_status = None

    async def page_of_roles(self, query: RoleQuery) -> Page:
        """Return a page of the roles, by name."""
        statement = self.visible(*COLUMNS).where(*matching(query, name=CustomRole.name))
        return await self.page(query, statement, SORTABLE, "name")

    async def view(self, id: UUID) -> Row[Any]:
        """Return the columns of a `RoleView`.

        Raises:
            NotFound: the tenant has no such role.
        """
        found = await self.session.execute(self.visible(*COLUMNS).where(CustomRole.id == id))
        row: Row[Any] | None = found.one_or_none()
        if row is None:
            raise NotFound("There is no such custom role")
        return row

    async def holders(self, role: CustomRole) -> list[Any]:
        """Return id and status of everyone who has the role, deleted people too."""
        found = await self.session.execute(select(User.id, User.status).where(User.custom_role_id == role.id))
        return list(found)

    async def grants_of_holders(self, role: CustomRole) -> set[str]:
        """Return every scope that is granted to somebody beside the role."""
        granted = select(UserPermission.scope).join(User, User.id == UserPermission.user_id)
        granted = granted.where(UserPermission.granted, User.custom_role_id == role.id)
        return set(await self.session.scalars(granted.distinct()))
