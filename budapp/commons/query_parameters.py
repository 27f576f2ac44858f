"""Query parameters that a route does not know are refused: a misspelt filter must not look like one that found all."""

from collections.abc import Iterator

from fastapi import Depends, Request
from fastapi.dependencies.models import Dependant
from fastapi.params import Depends as Dependency
from fastapi.routing import APIRoute
from pydantic import BaseModel

from budapp.commons.access import access_of
from budapp.commons.errors import UnprocessableContent


class Ignored:
    """Parameters that clients send to a route which needs nothing of them.

    Args:
        names: the parameters; with none, the route takes any, for what others put into an address.
    """

    def __init__(self, *names: str) -> None:
        self.names = frozenset(names)

    async def __call__(self) -> None:
        """Do nothing; being there is what counts."""


def ignores(*names: str) -> Dependency:
    """Return the dependency by which a route declares what it ignores: `dependencies=[ignores("force")]`."""
    dependency: Dependency = Depends(Ignored(*names))
    return dependency


async def refuse_unknown(request: Request) -> None:
    """Let the request pass if its route knows every query parameter; for the application as a whole.

    Raises:
        UnprocessableContent: the first unknown one is `param`; all of them are in `errors`.
        Unauthenticated, Forbidden: the caller may not call the route; that comes before what is wrong with the call.
    """
    route: APIRoute = request.scope["route"]
    unknown = _unknown(route, request) if request.query_params else []
    if not unknown:
        return
    access = access_of(route)
    if access is not None:
        await access(request)
    errors = [{"loc": ["query", name], "msg": "Unknown parameter", "type": "extra_forbidden"} for name in unknown]
    message = f"This address takes no parameter {', '.join(name[:100] for name in unknown[:5])}"
    raise UnprocessableContent(message, param=unknown[0], errors=errors)


def _unknown(route: APIRoute, request: Request) -> list[str]:
    ignored = [dependency.call for dependency in route.dependant.dependencies if isinstance(dependency.call, Ignored)]
    if any(not declaration.names for declaration in ignored):
        return []
    access = access_of(route)
    known = {*_declared(route.dependant), *(access.parameters if access is not None else ())}
    known.update(*(declaration.names for declaration in ignored))
    return [name for name in dict.fromkeys(request.query_params) if name not in known]


def _declared(dependant: Dependant) -> Iterator[str]:
    for field in dependant.query_params:
        kind = field.field_info.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from (info.alias or name for name, info in kind.model_fields.items())
        else:
            yield field.alias
    for dependency in dependant.dependencies:
        yield from _declared(dependency)
