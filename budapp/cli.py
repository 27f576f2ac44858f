"""The command line: `budapp serve | migrate | seed | openapi | keys | outbox | tenant`."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Annotated

import typer
import uvicorn
from alembic import command
from alembic.config import Config

from budapp import cli_keys, cli_outbox, cli_tenant
from budapp.commons.config import SettingsError, get_settings
from budapp.commons.errors import AppError
from budapp.main import close, create_app
from budapp.seeding import seed as run_seed

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
app.add_typer(cli_keys.app, name="keys")
app.add_typer(cli_outbox.app, name="outbox")
app.add_typer(cli_tenant.app, name="tenant")

ROOT = Path(__file__).resolve().parent.parent


def alembic_config() -> Config:
    """Return Alembic's configuration, wherever the command is run."""
    config = Config(ROOT / "alembic.ini")
    config.set_main_option("script_location", str(ROOT / "alembic"))
    return config


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

    async def run() -> None:
        application = create_app()
        try:
            await run_seed(application)
        finally:
            await close(application)

    asyncio.run(run())


@app.command()
def openapi() -> None:
    """Print the OpenAPI document."""
    sys.stdout.write(json.dumps(create_app().openapi(), indent=2, sort_keys=True) + "\n")


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
