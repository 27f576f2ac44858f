"""Manage tenants, the companies on the platform."""

from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import typer
from pydantic import ValidationError

from budapp.commons.commands import run_with
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

    async def work(components: Components, session: WriteSession) -> None:
        made = await components[Platform].create_tenant(session, data)
        typer.echo(f"tenant         {made.tenant.tenant_identifier} ({made.tenant.id})")
        typer.echo(f"administrator  {made.administrator.email}")
        typer.echo(f"password       {made.administrator.password}  (to be changed at the first sign-in)")

    _run(work)


@app.command("list")
def list_tenants() -> None:
    """List all tenants, oldest first."""

    async def work(_components: Components, session: WriteSession) -> None:
        query = TenantQuery(limit=_PAGE, order_by="created_at")
        while True:
            page = await tenants.list_tenants(session, query)
            for row in page.rows:
                state = "active" if row.is_active else "disabled"
                typer.echo(f"{row.tenant_identifier:<40} {state:<9} {row.id}  {row.name}")
            if page.next_cursor is None:
                return
            query = query.model_copy(update={"cursor": page.next_cursor})

    _run(work)


@app.command()
def disable(identifier: IdentifierArgument) -> None:
    """Disable a tenant: its users are locked out at once, nothing is deleted."""
    _set_active(identifier, active=False)


@app.command()
def enable(identifier: IdentifierArgument) -> None:
    """Enable a tenant; its users can sign in again."""
    _set_active(identifier, active=True)


def _set_active(identifier: str, *, active: bool) -> None:
    async def work(components: Components, session: WriteSession) -> None:
        platform = components[Platform]
        tenant: Tenant = await tenants.find_by_identifier(session, identifier)
        await platform.set_active(session, tenant.id, active=active)

    _run(work)
    typer.echo(f"{identifier} is {'active' if active else 'disabled'}")
