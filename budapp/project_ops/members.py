"""Who takes part in a project."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from budapp.commons.access import Caller
from budapp.commons.config import Settings
from budapp.commons.crud import Page
from budapp.commons.database import ReadSession, WriteSession
from budapp.commons.errors import BadRequest, Conflict, Forbidden, NotFound, UnprocessableContent
from budapp.commons.hooks import hooks_of
from budapp.commons.integrity import conflict_on
from budapp.commons.scopes import Scope, UserType, with_implied
from budapp.events.notify import notify_users, send_mail
from budapp.integrations.keycloak import Keycloak
from budapp.project_ops.crud import MemberCrud, ProjectCrud
from budapp.project_ops.hooks import Removal, before_removal
from budapp.project_ops.models import Project, ProjectType
from budapp.project_ops.schemas import MEMBER_SCOPES, MemberAdd, MemberQuery, MembersAdd
from budapp.project_ops.services import MANAGING, new_member, require_scopes
from budapp.user_ops import services as user_services
from budapp.user_ops.models import User, UserStatus

_ALREADY_MEMBER = "One of these users is already a member of the project"


@dataclass(frozen=True, slots=True)
class _Joining:
    """A user who is about to become a member; with a password where they were invited just now.

    Plain values: a row would be stale once an invitation has given the connection back.
    """

    user_id: UUID
    name: str
    scopes: list[str]
    password: str | None = None


async def list_members(session: ReadSession, caller: Caller, project_id: UUID, query: MemberQuery) -> Page:
    """Return a page of the project's members, newest first.

    Raises:
        NotFound: no such project, or out of reach.
    """
    project = await ProjectCrud(session, caller).get(project_id)
    return await MemberCrud(session, project).page(query)


async def add_members(
    session: WriteSession, keycloak: Keycloak, settings: Settings, caller: Caller, project_id: UUID, data: MembersAdd
) -> None:
    """Make all of them members, or none; whoever is not known yet is invited first.

    Raises:
        NotFound: no such project, or out of reach; or no such user.
        Forbidden: the caller may not manage it, gives more than they hold in it, or may not invite.
        BadRequest: a user is deleted, or is a customer's in a project of the administrators.
        Conflict: one of them is a member already.
        UnprocessableContent: somebody is named twice.
    """
    needed = {MANAGING.scope, *(scope for item in data.users for scope in item.granted())}
    project = await require_scopes(session, caller, project_id, needed)
    known, unknown = await _sort_out(session, project, data.users)
    if unknown and not caller.may(Scope.PROJECT_MANAGE):
        raise Forbidden("Inviting people without an account requires project:manage", param="users")
    user_type = UserType.CLIENT if project.project_type == ProjectType.CLIENT_APP else UserType.ADMIN
    invited = [await _invite(session, keycloak, caller, item, user_type) for item in unknown]
    project = await require_scopes(session, caller, project_id, needed, lock="update")
    session.add_all(new_member(project, joining.user_id, joining.scopes) for joining in [*known, *invited])
    with conflict_on("uq_project_member_project_id_user_id", Conflict(_ALREADY_MEMBER, param="users")):
        await session.flush()
    await _tell(session, settings, project, known, invited)


async def change_member(
    session: WriteSession, caller: Caller, project_id: UUID, user_id: UUID, changes: Mapping[str, bool]
) -> None:
    """Give and take scopes in the project: who has none becomes a member by the first, and leaves with the last.

    Raises:
        NotFound: no such project, or out of reach; or no such user.
        Forbidden: the caller may not manage it, or gives more than they hold in it.
        BadRequest: the user may not join, or nobody would remain.
    """
    given = {scope for scope, holds in changes.items() if holds}
    project = await require_scopes(session, caller, project_id, {MANAGING.scope, *given}, lock="update")
    crud = MemberCrud(session, project)
    people = await crud.people([user_id], [])
    if not people:
        raise NotFound("User not found", param="user_id")
    member = await crud.find(user_id)
    kept = {scope for scope in (member.scopes if member else ()) if changes.get(scope, True)}
    scopes: list[str] = [scope for scope in MEMBER_SCOPES if scope in with_implied(kept | given)]
    if member is None and scopes:
        _check_may_join(project, list(people))
        session.add(new_member(project, user_id, scopes))
    elif member is not None and scopes:
        member.scopes = scopes
    elif member is not None:
        await remove_members(session, caller, project_id, [user_id], remove_credentials=True)


async def set_membership(
    session: WriteSession, caller: Caller, project_id: UUID, user_id: UUID, scopes: Collection[str]
) -> None:
    """Have a service account of the caller's tenant hold just these scopes in the project; with none, it leaves.

    With the membership go its keys in the project.

    Raises:
        NotFound: no such project, or out of reach.
        Forbidden: the caller may not manage it, or gives more than they hold in it.
        BadRequest: it is a customer's project.
    """
    wanted: list[str] = [scope for scope in MEMBER_SCOPES if scope in with_implied(scopes)]
    project = await require_scopes(session, caller, project_id, {MANAGING.scope, *wanted}, lock="update")
    if project.project_type == ProjectType.CLIENT_APP:
        raise BadRequest("Service accounts take no part in projects of customers", param="project_id")
    crud = MemberCrud(session, project)
    member = await crud.find(user_id)
    if member is not None and wanted:
        member.scopes = wanted
    elif member is not None:
        for check in hooks_of(session).all(before_removal):
            await check(session, Removal(project_id, {user_id}, True))
        await crud.remove([user_id])
    elif wanted:
        session.add(new_member(project, user_id, wanted))
    with conflict_on("uq_project_member_project_id_user_id", Conflict(_ALREADY_MEMBER, param="project_id")):
        await session.flush()


async def remove_members(
    session: WriteSession, caller: Caller, project_id: UUID, user_ids: Sequence[UUID], *, remove_credentials: bool
) -> None:
    """Take all of them out of the project, with their keys in it.

    Raises:
        NotFound: no such project, or out of reach; or one of them is no member.
        Forbidden: the caller may not manage it.
        BadRequest: nobody would remain, or they have keys that are not to be removed.
    """
    project = await MANAGING.check(session, caller, project_id, lock="update")
    crud = MemberCrud(session, project)
    leaving = set(user_ids)
    if await crud.any_of(leaving) != leaving:
        raise NotFound("Member not found in this project", param="user_ids")
    if not await crud.remain_without(leaving):
        raise BadRequest("A project must keep at least one member", param="user_ids")
    for check in hooks_of(session).all(before_removal):
        await check(session, Removal(project_id, leaving, remove_credentials))
    await crud.remove(leaving)


async def _sort_out(
    session: ReadSession, project: Project, items: list[MemberAdd]
) -> tuple[list[_Joining], list[MemberAdd]]:
    """Part those who have an account, and may join, from those to invite."""
    crud = MemberCrud(session, project)
    ids = [item.user_id for item in items if item.user_id]
    emails = [item.email for item in items if item.email]
    people = await crud.people(ids, emails)
    by_key: dict[object, User] = {user.id: user for user in people} | {user.email.lower(): user for user in people}
    found = [(item, by_key.get(item.user_id or item.email)) for item in items]
    unknown = [item for item, user in found if user is None]
    known = [(item, user) for item, user in found if user is not None]
    if any(item.user_id for item in unknown):
        raise NotFound("User not found", param="users")
    if len(known) > len({user.id for _, user in known}) or len(unknown) > len({item.email for item in unknown}):
        raise UnprocessableContent("A user is listed twice", param="users")
    _check_may_join(project, [user for _, user in known])
    if await crud.any_of([user.id for _, user in known]):
        raise Conflict(_ALREADY_MEMBER, param="users")
    return [_Joining(user.id, user.name, item.granted()) for item, user in known], unknown


def _check_may_join(project: Project, users: list[User]) -> None:
    for user in users:
        if user.status == UserStatus.DELETED:
            raise BadRequest("Deleted users can't be added; reactivate them first", param="users")
        if user.user_type == UserType.CLIENT and project.project_type == ProjectType.ADMIN_APP:
            raise BadRequest(f"{user.email} is a client and can't be a member of this project", param="users")


async def _invite(
    session: WriteSession, keycloak: Keycloak, caller: Caller, item: MemberAdd, user_type: UserType
) -> _Joining:
    invitation = await user_services.invite(session, keycloak, caller, email=item.email or "", user_type=user_type)
    return _Joining(invitation.user.id, invitation.user.name, item.granted(), invitation.password)


async def _tell(
    session: WriteSession, settings: Settings, project: Project, known: list[_Joining], invited: list[_Joining]
) -> None:
    await notify_users(
        session,
        aggregate=f"project:{project.id}",
        subscriber_ids=[joining.user_id for joining in known],
        type="project_invitation_success",
        title=project.name,
        message="You are now a member of the project",
        icon=project.icon,
        target=("project", project.id),
    )
    for_clients = project.project_type == ProjectType.CLIENT_APP
    base_url = settings.frontend_url if for_clients else settings.admin_frontend_url
    url = f"{base_url.rstrip('/')}/projects/{project.id}"
    about = {"name": project.name, "description": project.description or "", "url": url}
    for joining in [*known, *invited]:
        user = {
            "name": joining.name,
            "password": joining.password,
            "is_budserve_user": joining.password is None,
        }
        content = {"user": user, "project": about}
        await send_mail(session, name="bud-project-invite", user_id=joining.user_id, content=content)
