"""Run and operate the service."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
import uvicorn
from alembic import command
from alembic.config import Config

from budapp.cli import keys
from budapp.commons.commands import make_components, run_with
from budapp.commons.config import SettingsError, get_settings
from budapp.commons.context import Provenance, provenance
from budapp.commons.domain import Components
from budapp.commons.errors import AppError
from budapp.commons.seeds import run_seeds
from budapp.domains import DOMAINS
from budapp.main import create_app

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
app.add_typer(keys.app, name="keys")
for domain in DOMAINS:
    for name, commands in domain.commands.items():
        app.add_typer(commands, name=name)

ROOT = Path(__file__).resolve().parents[2]
OPEN_REQUESTS_SECONDS = 20
"""How long open requests may take once the service is told to stop."""


def alembic_config() -> Config:
    """Return Alembic's configuration, wherever the command is run."""
    config = Config(ROOT / "alembic.ini")
    config.set_main_option("script_location", str(ROOT / "alembic"))
    return config


@app.callback()
def prepare(context: typer.Context) -> None:
    make_components.set(lambda: Components(get_settings(), DOMAINS))
    # What a command changes stands in the audit trail as the command's.
    provenance.set(Provenance("cli", context.invoked_subcommand))


@app.command()
def serve(
    workers: Annotated[int | None, typer.Option(help="Number of processes  [default: APP_WORKERS]")] = None,
) -> None:
    """Serve requests until stopped."""
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
        timeout_graceful_shutdown=OPEN_REQUESTS_SECONDS,
    )


@app.command()
def migrate(revision: str = "head") -> None:
    """Migrate the database to a revision; safe to run from several replicas at once."""
    get_settings()
    command.upgrade(alembic_config(), revision)


@app.command()
def seed() -> None:
    """Create the initial data: default tenant, realm, client, roles, administrator, buckets, catalogs."""
    run_with(run_seeds)


@app.command()
def openapi() -> None:
    """Print the OpenAPI document."""
    sys.stdout.write(json.dumps(create_app().openapi(), indent=2, sort_keys=True) + "\n")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command that the arguments (default: the process') name, and exit.

    Errors in the settings or of a store are printed without a traceback.
    """
    try:
        app(arguments)
    except (SettingsError, AppError) as error:
        sys.exit(f"budapp: {error}")
    except OSError as error:
        sys.exit(f"budapp: a store or service cannot be reached: {error}")
