"""What a look at the figures may take in: the caller's scope, narrowed by what they ask for; and names for ids."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from budapp.commons.access import Caller, Requires
from budapp.commons.database import ReadSession, release
from budapp.commons.errors import Forbidden, NotFound, UnprocessableContent
from budapp.integrations.peers import Json
from budapp.integrations.traffic import Group, TrafficScope
from budapp.metric_ops import crud
from budapp.metric_ops.requests import Filters

_KINDS = {
    "model_id": "model",
    "project_id": "project",
    "endpoint_id": "endpoint",
    "api_key_id": "api_key",
    "api_key_project_id": "project",
}


@dataclass(frozen=True, slots=True)
class Look:
    """Whose requests are counted, and what else narrows that."""

    scope: TrafficScope
    filters: Json


async def look(session: ReadSession, caller: Caller, asked: Filters) -> Look | None:
    """Return what may be looked at, and let go of the connection; None where there is nothing.

    Raises:
        NotFound: a project, deployment or model that is asked for is out of reach.
    """
    reached = await crud.projects(session, caller)
    for projects in (asked.project_id, asked.api_key_project_id):
        if not reached.issuperset(projects or ()):
            raise NotFound("Project not found", param="project_id")
    await _check_named(session, caller, asked)
    await release(session)
    scope = _scope(caller, reached, asked)
    filters = {name: getattr(asked, name) for name in ("endpoint_id", "model_id", "prompt_id")}
    if not caller.is_client:
        filters["api_key_project_id"] = asked.api_key_project_id
    if scope is None or any(values == [] for values in filters.values()):
        return None
    return Look(scope, {name: sorted(map(str, values)) for name, values in filters.items() if values is not None})


async def scope_for(session: ReadSession, caller: Caller) -> TrafficScope:
    """Return in which projects a request must be for the caller to see it, and let go of the connection.

    Raises:
        NotFound: in none.
    """
    found = await look(session, caller, Filters())
    if found is None:
        raise NotFound("Inference not found")
    return found.scope


def _scope(caller: Caller, reached: Iterable[UUID], asked: Filters) -> TrafficScope | None:
    wanted = set(reached)
    narrowing = [asked.project_id, asked.api_key_project_id if caller.is_client else None]
    for projects in narrowing:
        if projects is not None:
            wanted.intersection_update(projects)
    column = "api_key_project_id" if caller.is_client else "project_id"
    return TrafficScope(column, frozenset(wanted)) if wanted else None  # type: ignore[arg-type]


async def _check_named(session: ReadSession, caller: Caller, asked: Filters) -> None:
    endpoints, models = asked.endpoint_id or [], asked.model_id or []
    if not endpoints and not models:
        return
    found = await crud.reached(session, caller, endpoints, models)
    if not found.issuperset(endpoints):
        raise NotFound("Deployment not found", param="endpoint_id")
    if not found.issuperset(models):
        raise NotFound("Model not found", param="model_id")


def refuse_others_groups(caller: Caller, group_by: Collection[str] | None) -> None:
    """Raise where a customer's user asks for groups by whose deployments or keys these are."""
    others = {"project", "user"}.intersection(group_by or ())
    if caller.is_client and others:
        raise UnprocessableContent("Group by user_project, which is your own projects", param="group_by")


class RequiresStaff(Requires):
    """Only a caller who holds the scope and is no customer's user may call the route: see `refuse_clients`."""

    def admit(self, caller: Caller) -> None:
        """Let those pass who hold the scope and are no customer's users."""
        super().admit(caller)
        refuse_clients(caller)


def refuse_clients(caller: Caller) -> None:
    """Raise `Forbidden` for a customer's user, where budmetrics can't count by the keys' projects."""
    if caller.is_client:
        raise Forbidden("These figures are by deployment; ask /metrics/time-series or /metrics/aggregated for yours")


class Names:
    """What ids are called; where nothing has the id any more, nothing."""

    def __init__(self, found: Mapping[tuple[str, UUID], str], caller: Caller) -> None:
        self._found = found
        self._caller = caller

    def of(self, kind: str, id: UUID | None) -> str | None:
        """Return the name of what has the id."""
        return self._found.get((kind, id)) if id is not None else None

    def about(self, row: Group) -> Json:
        """Return the ids of a row with their names; a customer's user is not told whose deployment it is."""
        about: Json = {"user_id": row.user_id}
        for column, kind in _KINDS.items():
            value = getattr(row, column)
            about[column] = value
            about[f"{column.removesuffix('_id')}_name"] = self.of(kind, value)
        if self._caller.is_client:
            about |= {"project_id": None, "project_name": None, "user_id": None}
        return about


async def names_for(session: ReadSession, caller: Caller, rows: Iterable[Group]) -> Names:
    """Return the names of all ids in the rows, in one statement."""
    ids: dict[str, set[UUID]] = {}
    for row in rows:
        for column, kind in _KINDS.items():
            value: Any = getattr(row, column)
            if value is not None:
                ids.setdefault(kind, set()).add(value)
    return await names_of(session, caller, ids)


async def names_of(session: ReadSession, caller: Caller, ids: Mapping[str, Collection[UUID]]) -> Names:
    """Return the names of the ids, by kind."""
    rows = await crud.names(session, caller.tenant_id, ids)
    return Names({(row.kind, row.id): row.name for row in rows}, caller)
