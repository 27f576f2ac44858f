from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, bindparam, func, select

from budapp.commons.crud import Crud, Page, prepared
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
    soft_deleted = False

    async def page_of_roles(self, query: RoleQuery) -> Page:
        """Return a page of the roles, by name."""
        return await self.page(query, self._listed(query), SORTABLE, "name")

    @prepared
    def _listed(self, query: RoleQuery) -> Select[Any]:
        return self.visible(*COLUMNS).where(*matching(query, name=CustomRole.name))

    @prepared
    def _view(self) -> Select[Any]:
        return self.visible(*COLUMNS).where(CustomRole.id == bindparam("id"))

    async def view(self, id: UUID) -> Row[Any]:
        """Return the columns of a `RoleView`.

        Raises:
            NotFound: the tenant has no such role.
        """
        row = await self._view().first(self.session, id=id)
        if row is None:
            raise NotFound("Custom role not found")
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
