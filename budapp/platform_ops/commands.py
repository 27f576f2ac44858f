"""Manage tenants, the companies on the platform."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar

import typer
from pydantic import ValidationError

from budapp.commons.commands import AsJson, run_with, show, table
from budapp.commons.database import Database, WriteSession
from budapp.commons.domain import Components
from budapp.platform_ops.schemas import TenantCreate
from budapp.platform_ops.services import Platform
from budapp.tenant_ops import services as tenants
from budapp.tenant_ops.models import Tenant
from budapp.tenant_ops.schemas import TenantQuery

app = typer.Typer(no_args_is_help=True, help=__doc__)

Result = TypeVar("Result")
IdentifierArgument = Annotated[str, typer.Argument(help="As printed by `list`")]

_PAGE = 100


def _run(work: Callable[[Components, WriteSession], Awaitable[Result]]) -> Result:
    """Do the work as one unit of work."""

    async def run(components: Components) -> Result:
        async with components[Database].write() as session:
            return await work(components, session)

    return run_with(run)


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Display name")],
    identifier: Annotated[
        str, typer.Argument(help="Lowercase letters, digits and hyphens; also the name of its realm")
    ],
    administrator: Annotated[str, typer.Option("--admin", help="E-mail address of the first administrator")],
    description: Annotated[str | None, typer.Option()] = None,
    as_json: AsJson = False,
) -> None:
    """Create a tenant with its realm and first administrator, whose password is shown only once."""
    try:
        data = TenantCreate(
            name=name, identifier=identifier, administrator_email=administrator, description=description
        )
    except ValidationError as error:
        for detail in error.errors():
            typer.echo(f"{detail['loc'][0]}: {detail['msg']}", err=True)
        raise typer.Exit(2) from None

    made = _run(lambda components, session: components[Platform].create_tenant(session, data))
    tenant, person = made.tenant, made.administrator
    found = {
        "id": tenant.id,
        "identifier": tenant.tenant_identifier,
        "administrator": person.email,
        "password": person.password,
    }
    lines = (
        f"tenant         {tenant.tenant_identifier} ({tenant.id})",
        f"administrator  {person.email}",
        f"password       {person.password}  (to be changed at the first sign-in)",
    )
    show(found, lines, as_json=as_json)


@app.command("list")
def list_tenants(as_json: AsJson = False) -> None:
    """List all tenants, oldest first."""

    async def work(_components: Components, session: WriteSession) -> list[dict[str, Any]]:
        query = TenantQuery(limit=_PAGE, order_by="created_at")
        found = []
        while True:
            page = await tenants.list_tenants(session, query)
            found += [
                {"identifier": row.tenant_identifier, "active": row.is_active, "id": row.id, "name": row.name}
                for row in page.rows
            ]
            if page.next_cursor is None:
                return found
            query = query.model_copy(update={"cursor": page.next_cursor})

    found = _run(work)
    rows = [(one["identifier"], "active" if one["active"] else "disabled", one["id"], one["name"]) for one in found]
    show(found, table(("IDENTIFIER", "STATE", "ID", "NAME"), rows), as_json=as_json)


@app.command()
def disable(identifier: IdentifierArgument, as_json: AsJson = False) -> None:
    """Disable a tenant: its users are locked out at once, nothing is deleted."""
    _set_active(identifier, active=False, as_json=as_json)


@app.command()
def enable(identifier: IdentifierArgument, as_json: AsJson = False) -> None:
    """Enable a tenant; its users can sign in again."""
    _set_active(identifier, active=True, as_json=as_json)


def _set_active(identifier: str, *, active: bool, as_json: bool) -> None:
    async def work(components: Components, session: WriteSession) -> None:
        platform = components[Platform]
        tenant: Tenant = await tenants.find_by_identifier(session, identifier)
        await platform.set_active(session, tenant.id, active=active)

    _run(work)
    line = f"{identifier} is {'active' if active else 'disabled'}"
    show({"identifier": identifier, "active": active}, [line], as_json=as_json)
