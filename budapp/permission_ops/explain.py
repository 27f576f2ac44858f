"""Why somebody may call a route or not, by the same declarations and functions that decide it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from fastapi.routing import APIRoute
from sqlalchemy import Row

from budapp.commons.access import Access, Caller, access_of, admit_service_account, row_parameter
from budapp.commons.database import ReadSession, now
from budapp.commons.errors import AppError, Forbidden, NotFound, Unauthenticated
from budapp.commons.routing import RouteIndex, unversioned
from budapp.commons.scopes import Scope, Source, with_implied, withdrawn_of, without
from budapp.permission_ops.schemas import ExplainQuery, ExplainStep, Explanation, HeldScope
from budapp.project_ops.services import RequiresInProject, membership_scopes
from budapp.user_ops.identity import caller_of, sources_for
from budapp.user_ops.services import find_person

_MEMBERSHIP = "membership in project"


@dataclass(frozen=True, slots=True)
class Target:
    """The route that is meant, what it asks, and the id of the row that it is about where one is given.

    That id is the first one in the path. A route that asks for a scope in a project, but names no row in its path, is
    about the project itself.
    """

    method: str
    route: APIRoute
    access: Access
    id: UUID | None

    @property
    def in_project(self) -> RequiresInProject | None:
        """What the route asks, where it asks it in the project concerned."""
        return self.access if isinstance(self.access, RequiresInProject) else None

    @property
    def about_row(self) -> bool:
        """Tell whether what is asked hangs on a row."""
        return row_parameter(self.route) is not None or self.in_project is not None


async def explain_to(session: ReadSession, routes: RouteIndex, caller: Caller, query: ExplainQuery) -> Explanation:
    """Explain to the caller what they, or somebody else of their tenant, may do.

    Raises:
        Forbidden: it is somebody else, and the caller lacks user:view.
        NotFound: there is no such person or route.
    """
    user_id = query.user_id or caller.user_id
    if user_id != caller.user_id and (caller.status != "active" or not caller.may(Scope.USER_VIEW)):
        raise Forbidden(f"Permission required: {Scope.USER_VIEW}")
    target = find_target(routes, query.method, query.path, query.id)
    return await explain(session, await find_person(session, caller.tenant_id, user_id=user_id), target)


def find_target(routes: RouteIndex, method: str, path: str, id: UUID | None) -> Target:
    """Return what the method and path mean.

    Raises:
        NotFound: no route has them.
    """
    path = unversioned(path)
    route = routes.route_of(method, path)
    access = access_of(route) if route is not None else None
    if route is None or access is None:
        raise NotFound("Route not found", param="path")
    return Target(method, route, access, id or _id_in(route, path))


def _id_in(route: APIRoute, path: str) -> UUID | None:
    match, parameter = route.path_regex.match(path), row_parameter(route)
    try:
        return UUID(match[parameter]) if match and parameter else None
    except ValueError:
        return None


async def explain(session: ReadSession, person: Row[Any], target: Target) -> Explanation:
    """Return why the person, a row of `identity.people`, may do what the target stands for, or not."""
    user = person.User
    rights = {"overrides": person.overrides, "of_platform": person.is_platform}
    withdrawn = withdrawn_of(user.role, user.user_type, person.overrides)
    caller = caller_of(user, realm=person.realm_name, session_id="", token_expires_at=now(), **rights)
    sources = list(sources_for(user, **rights))
    steps: list[ExplainStep] = []
    refusal: AppError | None = None
    if target.access.kind != "public":
        refusal = _ask_account(steps, person) or _ask_permission(steps, target, caller, withdrawn)
    if refusal is None:
        refusal = await _ask_row(session, steps, target, caller)
        sources += await _membership(session, target, caller)
    return Explanation(
        user_id=user.id,
        email=user.email,
        route=f"{target.method} {target.route.path_format}",
        asks_for=target.access.scope or target.access.kind,
        allowed=refusal is None,
        status=refusal.status if refusal is not None else None,
        reason=refusal.text if refusal is not None else "Allowed",
        steps=steps,
        scopes=_held(sources, withdrawn),
        withdrawn=sorted(withdrawn),
    )


def _ask_account(steps: list[ExplainStep], person: Row[Any]) -> AppError | None:
    tenant = "active" if person.tenant_active else "not active"
    detail = f"The person is {person.User.status}, the tenant is {tenant}"
    steps.append(ExplainStep(check="account", passed=person.admitted, detail=detail))
    return None if person.admitted else Unauthenticated(f"Their tokens do not count: {detail}")


def _ask_permission(
    steps: list[ExplainStep], target: Target, caller: Caller, withdrawn: frozenset[str]
) -> AppError | None:
    try:
        admit_service_account(caller, target.route, None)
        target.access.admit(caller)
    except Forbidden as error:
        why = ", which was withdrawn from the person" if target.access.scope in withdrawn else ""
        steps.append(ExplainStep(check="permission", passed=False, detail=error.text + why))
        return error
    asked = target.access.scope or "nothing but being signed in"
    where = " in the project concerned" if target.in_project else ""
    steps.append(ExplainStep(check="permission", passed=True, detail=f"The route requires {asked}{where}"))
    return None


async def _ask_row(session: ReadSession, steps: list[ExplainStep], target: Target, caller: Caller) -> AppError | None:
    if not target.about_row:
        return None
    if target.access.row is None or target.id is None:
        missing = "no id is given" if target.id is None else "the route does not say how it finds it"
        detail = f"Whether the row is in reach can't be told: {missing}"
        steps.append(ExplainStep(check="row", passed=None, detail=detail))
        return None
    try:
        await target.access.row(session, caller, target.id)
    except (NotFound, Forbidden) as error:
        steps.append(ExplainStep(check="row", passed=False, detail=error.text))
        return error
    steps.append(
        ExplainStep(
            check="row", passed=True, detail="The item is visible, and the permissions that it requires are held"
        )
    )
    return None


async def _membership(session: ReadSession, target: Target, caller: Caller) -> Sequence[Source]:
    if target.id is None:
        return []
    try:
        if target.in_project is not None:
            project_id = await target.in_project.project_of(session, caller, target.id)
        elif row_parameter(target.route) == "project_id":
            project_id = target.id
        else:
            return []
        scopes = await membership_scopes(session, caller, project_id)
    except NotFound:
        return []
    return [Source(_MEMBERSHIP, str(project_id), scopes)]


def _held(sources: Iterable[Source], withdrawn: frozenset[str]) -> list[HeldScope]:
    held: dict[str, list[str]] = {}
    for source in sources:
        by = source.kind if source.kind in {"grant", "client"} else f"{source.kind} {source.name}"
        scopes = with_implied(source.scopes)
        for scope in scopes if source.kind == _MEMBERSHIP else without(scopes, withdrawn):
            own = scope in source.scopes
            implied = f"implied by {scope.removesuffix(':view')}:manage ({by})"
            held.setdefault(scope, []).append(by if own else implied)
    return [HeldScope(scope=scope, held_by=by) for scope, by in sorted(held.items())]
