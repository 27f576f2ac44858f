"""The command line: `budapp serve | migrate | seed | openapi | audit | authz | catalogue | keys | outbox | tenant`."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer
import uvicorn
from alembic import command
from alembic.config import Config
from fastapi import FastAPI

from budapp import cli_audit, cli_catalogue, cli_keys, cli_outbox, cli_tenant
from budapp.cli_application import with_application
from budapp.commons.config import SettingsError, get_settings
from budapp.commons.context import Provenance, provenance
from budapp.commons.errors import AppError
from budapp.main import create_app
from budapp.permission_ops.explaining import explain as explain_person
from budapp.permission_ops.explaining import find_target
from budapp.permission_ops.schemas import Explanation
from budapp.seeding import seed as run_seed
from budapp.tenant_ops.services import find_by_identifier
from budapp.user_ops.services import find_person

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
app.add_typer(cli_audit.app, name="audit")
app.add_typer(cli_catalogue.app, name="catalogue")
app.add_typer(cli_keys.app, name="keys")
app.add_typer(cli_outbox.app, name="outbox")
app.add_typer(cli_tenant.app, name="tenant")

authz = typer.Typer(no_args_is_help=True, help="Questions about who may do what.")
app.add_typer(authz, name="authz")

ROOT = Path(__file__).resolve().parent.parent


def alembic_config() -> Config:
    """Return Alembic's configuration, wherever the command is run."""
    config = Config(ROOT / "alembic.ini")
    config.set_main_option("script_location", str(ROOT / "alembic"))
    return config


@app.callback()
def note_provenance(context: typer.Context) -> None:
    """Let what a command changes stand in the audit trail as the command's."""
    provenance.set(Provenance("cli", context.invoked_subcommand))


@app.command()
def serve(
    workers: Annotated[int | None, typer.Option(help="Processes; APP_WORKERS where absent")] = None,
) -> None:
    """Answer requests until stopped."""
    settings = get_settings()
    uvicorn.run(
        "budapp.main:create_app",
        factory=True,
        host=settings.app_host,
        port=settings.app_port,
        workers=workers or settings.app_workers,
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=20,
    )


@app.command()
def migrate(revision: str = "head") -> None:
    """Bring the database to a revision; several replicas may start this at once."""
    get_settings()
    command.upgrade(alembic_config(), revision)


@app.command()
def seed() -> None:
    """Make what must be there: default tenant, realm, client, roles, administrator, buckets."""
    with_application(run_seed)


@app.command()
def openapi() -> None:
    """Print the OpenAPI document."""
    sys.stdout.write(json.dumps(create_app().openapi(), indent=2, sort_keys=True) + "\n")


@authz.command()
def explain(
    user: Annotated[str, typer.Argument(help="E-mail or id")],
    route: Annotated[str, typer.Argument(help='Method and path, such as "PATCH /projects/{project_id}"')],
    id: Annotated[UUID | None, typer.Argument(help="The id in the path")] = None,
    tenant: Annotated[str | None, typer.Option(help="The tenant's realm; DEFAULT_REALM_NAME where absent")] = None,
) -> None:
    """Say step by step why somebody may call a route or not; the exit status is 1 if not."""
    explanation = with_application(lambda application: _explain(application, user, route, id, tenant))
    verdict = "allowed" if explanation.allowed else f"refused with {explanation.status}"
    typer.echo(f"{explanation.email}  {explanation.route}  {verdict}: {explanation.reason}")
    for step in explanation.steps:
        mark = {True: "yes", False: "no", None: "?"}[step.passed]
        typer.echo(f"  {step.check:<12}{mark:<5}{step.detail}")
    for held in explanation.scopes:
        typer.echo(f"  holds {held.scope:<18}{'; '.join(held.held_by)}")
    raise typer.Exit(0 if explanation.allowed else 1)


async def _explain(application: FastAPI, user: str, route: str, id: UUID | None, tenant: str | None) -> Explanation:
    method, _, path = route.partition(" ")
    target = find_target(application.state.routes, method.upper(), path, id)
    async with application.state.database.read() as session:
        found = await find_by_identifier(session, tenant or application.state.settings.default_realm_name)
        person = await find_person(session, found.id, **_user_key(user))
        return await explain_person(session, person, target)


def _user_key(user: str) -> dict[str, Any]:
    try:
        return {"user_id": UUID(user)}
    except ValueError:
        return {"email": user}


def main() -> None:
    """Run a command; what is wrong with the settings or a store is said in plain words."""
    try:
        app()
    except (SettingsError, AppError) as error:
        sys.exit(f"budapp: {error}")
    except OSError as error:
        sys.exit(f"budapp: something that this needs cannot be reached: {error}")


if __name__ == "__main__":
    main()
