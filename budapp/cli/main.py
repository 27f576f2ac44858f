"""Run and operate the service."""

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from budapp import __version__
from budapp.cli.lazy import lazy_group, of_domain, of_module
from budapp.commons.context import Provenance, provenance

SERVICE = "budapp.cli.service"
COMMANDS = {
    "audit": of_domain("audit_ops", "audit", "Verify and trim the audit trail."),
    "authz": of_domain("permission_ops", "authz", "Explain who may call what."),
    "catalog": of_domain("provider_ops", "catalog", "Manage the catalog of cloud models."),
    "evaluations": of_domain("evaluation_ops", "evaluations", "Manage the datasets that models are evaluated with."),
    "gateway": of_domain("gateway_ops", "gateway", "Look after the gateway's tables in Valkey."),
    "guardrails": of_domain("guardrail_ops", "guardrails", "Manage the catalogue of preset probes."),
    "inbox": of_domain("events", "inbox", "Inspect events from other services that could not be handled."),
    "keys": of_module("budapp.cli.keys", "keys", "Manage the keys that encrypt secrets in the database."),
    "migrate": of_module(
        SERVICE, "migrate", "Migrate the database to a revision; safe to run from several replicas at once."
    ),
    "openapi": of_module(SERVICE, "openapi", "Print the OpenAPI document."),
    "outbox": of_domain("events", "outbox", "Inspect messages to other services: pending ones and dead letters."),
    "seed": of_module(
        SERVICE,
        "seed",
        "Create the initial data: default tenant, realm, administrator, buckets, catalogs.",
    ),
    "serve": of_module(SERVICE, "serve", "Serve requests until stopped."),
    "tenant": of_domain("platform_ops", "tenant", "Manage tenants, the companies on the platform."),
    "upgrade-from-legacy": of_domain(
        "legacy_ops", "upgrade-from-legacy", "Bring the database of the service in use before into this one."
    ),
}
"""Every command; a test holds the names and lines against those of the commands themselves."""

app = typer.Typer(cls=lazy_group(COMMANDS), no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"budapp {__version__}")
        raise typer.Exit


@app.callback()
def prepare(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    # What a command changes stands in the audit trail as the command's.
    provenance.set(Provenance("cli", context.invoked_subcommand))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command that the arguments (default: the process') name, and exit.

    Errors in the settings or of a store are printed without a traceback.
    """
    try:
        app(arguments)
    except Exception as error:  # what is none of the operator's is raised again
        from budapp.cli.failures import plain_message  # noqa: PLC0415 - takes a second, and seldom needed

        message = plain_message(error)
        if message is None:
            raise
        sys.exit(f"budapp: {message}")
