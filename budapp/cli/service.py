"""The commands that every installation needs: serve, migrate, seed, openapi."""

import json
import sys
from typing import Annotated

import typer
import uvicorn
from alembic import command

from budapp.cli.migrations import alembic_config
from budapp.commons.commands import run_with
from budapp.commons.config import get_settings
from budapp.commons.garbage import grow_heap
from budapp.commons.seeds import run_seeds

app = typer.Typer()

OPEN_REQUESTS_SECONDS = 20
"""How long open requests may take once the service is told to stop."""
IDLE_CONNECTION_SECONDS = 120
"""Longer than sidecars and proxies keep a connection (90 s), or one of theirs breaks as they send on it."""


@app.command()
def serve(
    workers: Annotated[int | None, typer.Option(help="Number of processes  [default: APP_WORKERS]")] = None,
) -> None:
    """Serve requests until stopped."""
    settings = get_settings()
    grow_heap()
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
        timeout_keep_alive=IDLE_CONNECTION_SECONDS,
    )


@app.command()
def migrate(
    revision: Annotated[str, typer.Option(help="The revision to migrate to")] = "head",
) -> None:
    """Migrate the database to a revision; safe to run from several replicas at once."""
    get_settings()
    command.upgrade(alembic_config(), revision)


@app.command()
def seed() -> None:
    """Create the initial data: default tenant, realm, administrator, buckets, catalogs."""
    run_with(run_seeds)


@app.command()
def openapi() -> None:
    """Print the OpenAPI document."""
    from budapp.main import create_app  # noqa: PLC0415 - takes seconds, and no other command here needs it

    sys.stdout.write(json.dumps(create_app().openapi(), indent=2, sort_keys=True) + "\n")
