from collections.abc import Collection, Sequence
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, any_, bindparam, exists, func, literal_column, or_, select, true
from sqlalchemy.orm import aliased

from budapp.commons.crud import Crud, Page, fetch_page, named_colors, prepared
from budapp.commons.database import ReadSession, not_deleted
from budapp.commons.errors import NotFound
from budapp.commons.paging import TextFilter, contains, equal, matching
from budapp.commons.scopes import Scope, scopes_implying
from budapp.project_ops.columns import (
    SORTABLE,
    SORTABLE_MEMBERS,
    member_columns,
    project_columns,
    summary_columns,
)
from budapp.project_ops.models import Project, ProjectMember, ProjectType
from budapp.project_ops.schemas import MemberQuery, ProjectQuery, TagQuery
from budapp.user_ops.columns import PERSON, PRESENT
from budapp.user_ops.models import User

MAX_ACCESS_ROWS = 1000

Lock = Literal["share", "update"]
"""`share` keeps a project from being changed or deleted, `update` keeps others from locking it at all."""

LISTED = ~Project.benchmark
"""The condition for projects that lists show, beside being in reach."""


class ProjectCrud(Crud[Project]):
    """Projects in the caller's reach: those that they are a member of, and with project:manage every admin_app one.

    A customer's user only ever reaches client_app projects.
    """

    model = Project

    def reach(self, only: ProjectType | None = None) -> list[Any]:
        """Return the conditions for the projects in reach, where asked of one type.

        Naming the type here, not in a filter on top, decides most of the question before PostgreSQL is asked.
        """
        conditions = super().reach()
        if only is not None:
            conditions.append(Project.project_type == only)
        if self.caller.is_client:
            return [*conditions, Project.project_type == ProjectType.CLIENT_APP, self._takes_part()]
        if not self.caller.may(Scope.PROJECT_MANAGE) or only is ProjectType.CLIENT_APP:
            return [*conditions, self._takes_part()]
        if only is None:
            conditions.append(or_(Project.project_type == ProjectType.ADMIN_APP, self._takes_part()))
        return conditions

    def _takes_part(self) -> ColumnElement[bool]:
        return exists(select(1).where(*self._own_membership()))

    def _own_membership(self) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
        return ProjectMember.project_id == Project.id, ProjectMember.user_id == self.caller.user_id

    def _own_scopes(self) -> ColumnElement[Any]:
        return select(ProjectMember.scopes).where(*self._own_membership()).scalar_subquery().label("own_scopes")

    async def page_of_projects(self, query: ProjectQuery) -> Page:
        """Return a page of what lists show: admin_app projects unless the other type is asked for."""
        wanted = ProjectType.CLIENT_APP if self.caller.is_client else query.project_type or ProjectType.ADMIN_APP
        return await self.page(query, self._listed(wanted, query), SORTABLE)

    @prepared
    def _listed(self, wanted: ProjectType, query: ProjectQuery) -> Select[Any]:
        return select(*summary_columns(self.hooks)).where(*self.reach(wanted), LISTED, *matching(query, name=_NAME))

    @prepared
    def _summary(self) -> Select[Any]:
        return self.visible(*summary_columns(self.hooks)).where(Project.id == bindparam("id"))

    @prepared
    def _view(self) -> Select[Any]:
        return self.visible(*project_columns()).where(Project.id == bindparam("id"))

    async def page_with_scopes(self, query: ProjectQuery, user_id: UUID) -> Page:
        """Return a page of the projects in reach, of both types unless one is named, with a user's scopes in each."""
        listed = self._with_scopes(query.project_type, query)
        return await self.page(query, listed.given(member_id=user_id), SORTABLE)

    @prepared
    def _with_scopes(self, wanted: ProjectType | None, query: ProjectQuery) -> Select[Any]:
        theirs = ProjectMember.project_id == Project.id, ProjectMember.user_id == bindparam("member_id")
        scopes = select(ProjectMember.scopes).where(*theirs).scalar_subquery().label("member_scopes")
        columns = (Project.id, Project.name, Project.status, Project.created_at, Project.modified_at, scopes)
        return select(*columns).where(*self.reach(wanted), LISTED, *matching(query, name=_NAME))

    async def of_member(self, user_id: UUID) -> Sequence[Row[Any]]:
        """Return the newest projects in reach that the user takes part in, with their scopes there."""
        return await self._of_member().rows(self.session, member_id=user_id)

    @prepared
    def _of_member(self) -> Select[Any]:
        theirs = aliased(ProjectMember)
        statement = self.visible(Project.id, Project.name, theirs.scopes)
        statement = statement.join(theirs, theirs.project_id == Project.id)
        return _newest(statement.where(LISTED, theirs.user_id == bindparam("member_id")))

    async def summary(self, id: UUID) -> Row[Any]:
        """Return the project with its counts.

        Raises:
            NotFound: no such project, or out of reach.
        """
        return _one(await self._summary().rows(self.session, id=id))

    async def view(self, id: UUID) -> Row[Any]:
        """Return the columns of a `ProjectView`, or raise `NotFound`."""
        return _one(await self._view().rows(self.session, id=id))

    async def page_of_tags(self, query: TagQuery, prefix: str = "") -> Page:
        """Return a page of the tags in reach, each name once."""
        tag = named_colors(Project.tags)
        found = self.visible(tag.c.name.label("id"), tag.c.name, func.min(tag.c.color).label("color"))
        found = found.join(tag, true()).where(LISTED).group_by(tag.c.name)
        if prefix:
            found = found.where(tag.c.name.istartswith(prefix, autoescape=True))
        tags = found.subquery()
        return await self.page(query, select(tags), {"id": tags.c.id, "name": tags.c.name}, "name")

    def holding(self, scope: Scope) -> Select[Any]:
        """Return the select of the ids of the projects in reach where the caller holds the scope."""
        found = self.visible(Project.id)
        if not self.caller.is_client and self.caller.may(scope):
            return found
        return found.where(exists(select(1).where(*self._own_membership(), _holds(scope))))

    async def is_held(self, id: UUID, scope: Scope | None) -> bool:
        """Tell whether the project is in reach, and where a scope is given, whether the caller holds it there."""
        return await self._held(scope).first(self.session, id=id) is not None

    @prepared
    def _held(self, scope: Scope | None) -> Select[Any]:
        found = self.visible(Project.id) if scope is None else self.holding(scope)
        return found.where(Project.id == bindparam("id"))

    async def access(self) -> Sequence[Row[Any]]:
        """Return id and own scopes of the newest projects in reach."""
        return await self._access().rows(self.session)

    @prepared
    def _access(self) -> Select[Any]:
        return _newest(self.visible(Project.id, self._own_scopes()).where(LISTED))

    async def get_with_scopes(self, id: UUID, *, lock: Lock | None) -> Row[Any]:
        """Return the project and own scopes in it, locked until the commit where asked.

        Raises:
            NotFound: no such project, or out of reach.
        """
        statement = self.visible(Project, self._own_scopes()).where(Project.id == id)
        if lock is not None:
            statement = statement.with_for_update(read=lock == "share", of=Project)
            statement = statement.execution_options(populate_existing=True)
        return _one((await self.session.execute(statement)).all())


class MemberCrud:
    """The members of one project, which the caller has been found to reach."""

    def __init__(self, session: ReadSession, project: Project) -> None:
        self.session = session
        self.project = project

    def _here(self) -> ColumnElement[bool]:
        return ProjectMember.project_id == self.project.id

    async def page(self, query: MemberQuery) -> Page:
        """Return a page of the members that are active or invited, the newest member first."""
        columns = member_columns(self.project.created_by)
        present = select(*columns.values()).join(ProjectMember, ProjectMember.user_id == User.id)
        texts = matching(query, name=columns["name"], email=columns["email"])
        present = present.where(self._here(), PRESENT, *equal(query, role=columns["role"]), *texts)
        sortable = {name: columns[name] for name in SORTABLE_MEMBERS}
        return await fetch_page(self.session, query, present, sortable)

    async def people(self, ids: Collection[UUID], emails: Collection[str]) -> Sequence[User]:
        """Return the people of the tenant with these ids or e-mails, deleted ones too."""
        wanted = or_(User.id.in_(ids), func.lower(User.email).in_(emails))
        statement = select(User).where(User.tenant_id == self.project.tenant_id, wanted, PERSON)
        return (await self.session.scalars(statement)).all()

    async def any_of(self, user_ids: Collection[UUID]) -> set[UUID]:
        """Return which of the users are members."""
        statement = select(ProjectMember.user_id).where(self._here(), ProjectMember.user_id.in_(user_ids))
        return set(await self.session.scalars(statement))

    async def remain_without(self, user_ids: Collection[UUID]) -> bool:
        """Tell whether a person remains, active or invited, without these users."""
        others = select(ProjectMember.id).join(User, ProjectMember.user_id == User.id)
        others = others.where(self._here(), PRESENT, PERSON, ProjectMember.user_id.not_in(user_ids)).limit(1)
        return await self.session.scalar(others) is not None

    async def find(self, user_id: UUID) -> ProjectMember | None:
        """Return the membership of the user."""
        statement = select(ProjectMember).where(self._here(), ProjectMember.user_id == user_id)
        member: ProjectMember | None = await self.session.scalar(statement)
        return member

    async def remove(self, user_ids: Collection[UUID]) -> None:
        """Take the users out of the project."""
        leaving = select(ProjectMember).where(self._here(), ProjectMember.user_id.in_(user_ids))
        for member in await self.session.scalars(leaving):
            await self.session.delete(member)


async def members_holding(session: ReadSession, project_id: UUID, scope: Scope) -> set[UUID]:
    """Return the people in the project, active or invited, that hold the scope there."""
    members = select(ProjectMember.user_id).join(User, ProjectMember.user_id == User.id)
    members = members.where(ProjectMember.project_id == project_id, PRESENT, PERSON, _holds(scope))
    return set(await session.scalars(members))


async def memberships_of(session: ReadSession, user_ids: Collection[UUID]) -> Sequence[Row[Any]]:
    """Return user_id, project_id and scopes of all that the users take part in."""
    member = ProjectMember
    statement = select(member.user_id, member.project_id, member.scopes).where(member.user_id.in_(user_ids))
    found: Sequence[Any] = (await session.execute(statement)).all()
    return found


async def types_of(session: ReadSession, project_ids: Collection[UUID]) -> Sequence[Row[Any]]:
    """Return id and project_type of those of the projects that are not deleted."""
    statement = select(Project.id, Project.project_type).where(Project.id.in_(project_ids), not_deleted(Project))
    found: Sequence[Any] = (await session.execute(statement)).all()
    return found


def _holds(scope: Scope) -> ColumnElement[bool]:
    names: list[ColumnElement[str]] = [literal_column(f"'{name}'") for name in sorted(scopes_implying(scope))]
    return or_(*(name == any_(ProjectMember.scopes) for name in names))


def _one(rows: Sequence[Row[Any]]) -> Row[Any]:
    if not rows:
        raise NotFound("Project not found")
    return rows[0]


def _newest(statement: Select[Any]) -> Select[Any]:
    newest = statement.order_by(Project.created_at.desc(), Project.id.desc())
    return newest.limit(literal_column(str(MAX_ACCESS_ROWS)))


def _mentions(text: Any) -> ColumnElement[bool]:
    tag = named_colors(Project.tags)
    tagged = exists(select(1).select_from(tag).where(contains(tag.c.name, text)))
    return or_(contains(Project.name, text), contains(Project.description, text), tagged)


_NAME = TextFilter(equals=lambda text: Project.name == text, contains=_mentions)
