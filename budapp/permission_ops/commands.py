from collections.abc import Iterator
from typing import Annotated, Any
from uuid import UUID

import typer
from fastapi import FastAPI

from budapp.commons.commands import AsJson, run_with, show
from budapp.commons.config import Settings
from budapp.commons.database import Database
from budapp.commons.domain import Components, routers_of
from budapp.commons.routing import RouteIndex
from budapp.permission_ops.explain import explain as explain_person
from budapp.permission_ops.explain import find_target
from budapp.permission_ops.schemas import Explanation
from budapp.tenant_ops.services import find_by_identifier
from budapp.user_ops.services import find_person

app = typer.Typer(no_args_is_help=True, help="Explain who may call what.")


@app.command()
def explain(
    user: Annotated[str, typer.Argument(help="E-mail address or id")],
    route: Annotated[str, typer.Argument(help='Method and path, such as "PATCH /projects/{project_id}"')],
    id: Annotated[UUID | None, typer.Argument(help="The id in the path")] = None,
    tenant: Annotated[str | None, typer.Option(help="The tenant's realm; DEFAULT_REALM_NAME by default")] = None,
    as_json: AsJson = False,
) -> None:
    """Explain step by step why a user may call a route or not; exit with status 1 if not."""
    explanation = run_with(lambda components: _explain(components, user, route, id, tenant))
    show(explanation, _lines(explanation), as_json=as_json)
    raise typer.Exit(0 if explanation.allowed else 1)


def _lines(explanation: Explanation) -> Iterator[str]:
    verdict = "allowed" if explanation.allowed else f"refused with {explanation.status}"
    yield f"{explanation.email}  {explanation.route}  {verdict}: {explanation.reason}"
    for step in explanation.steps:
        mark = {True: "yes", False: "no", None: "?"}[step.passed]
        yield f"  {step.check:<12}{mark:<5}{step.detail}"
    for held in explanation.scopes:
        yield f"  holds {held.scope:<18}{'; '.join(held.held_by)}"
    for scope in explanation.withdrawn:
        yield f"  lacks {scope:<18}withdrawn"


async def _explain(components: Components, user: str, route: str, id: UUID | None, tenant: str | None) -> Explanation:
    method, _, path = route.partition(" ")
    target = find_target(_routes(components), method.upper(), path, id)
    async with components[Database].read() as session:
        found = await find_by_identifier(session, tenant or components[Settings].default_realm_name)
        person = await find_person(session, found.id, **_user_key(user))
        return await explain_person(session, person, target)


def _routes(components: Components) -> RouteIndex:
    application = FastAPI()
    for router in routers_of(components.domains):
        application.include_router(router)
    return RouteIndex(application)


def _user_key(user: str) -> dict[str, Any]:
    try:
        return {"user_id": UUID(user)}
    except ValueError:
        return {"email": user}
