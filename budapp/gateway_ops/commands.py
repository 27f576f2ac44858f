"""Look after the gateway's tables in Valkey."""

import asyncio
from typing import Annotated
from uuid import UUID

import typer

from budapp.commons.commands import AsJson, run_with, show
from budapp.commons.database import Database
from budapp.commons.domain import Components
from budapp.gateway_ops.services import Difference, GatewayTables
from budapp.tenant_ops.services import find_by_identifier

app = typer.Typer(no_args_is_help=True, help=__doc__)

_SETTLING_SECONDS = 1.5

TenantOption = Annotated[str | None, typer.Option(help="Only this tenant's, by its identifier")]


@app.command()
def rebuild(tenant: TenantOption = None, as_json: AsJson = False) -> None:
    """Make the tables what PostgreSQL says."""

    async def work(components: Components) -> int:
        return await components[GatewayTables].rebuild(await _tenant_id(components, tenant))

    changed = run_with(work)
    show({"changed": changed}, [f"{changed} entries changed"], as_json=as_json)


@app.command()
def diff(tenant: TenantOption = None, as_json: AsJson = False) -> None:
    """Show how the tables differ from what PostgreSQL says; exit with 1 where they do."""

    async def work(components: Components) -> Difference:
        tables, tenant_id = components[GatewayTables], await _tenant_id(components, tenant)
        found = await tables.diff(tenant_id)
        if found:  # may just be on its way
            await asyncio.sleep(_SETTLING_SECONDS)
            found = found.persisting(await tables.diff(tenant_id))
        return found

    found = run_with(work)
    lines = (f"{name} {entry}" for name in ("missing", "extra", "different") for entry in getattr(found, name))
    show(found, lines, as_json=as_json)
    for endpoint_id, reason in found.refused.items():
        typer.echo(f"deployment {endpoint_id} can't be called through the gateway: {reason}", err=True)
    if found:
        raise typer.Exit(1)


async def _tenant_id(components: Components, identifier: str | None) -> UUID | None:
    if identifier is None:
        return None
    async with components[Database].read() as session:
        return (await find_by_identifier(session, identifier)).id
