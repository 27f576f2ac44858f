"""Work with budapp from the command line.

Sign in once with `budctl login ADDRESS`. Without a person: BUDCTL_ADDRESS, and in BUDCTL_TOKEN a service account's key.

Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 not signed in, 4 not found, 5 no answer, 6 workflow failed.
"""

import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from budapp_client import __version__
from budapp_client.cli.access import Access
from budapp_client.cli.lazy import Lazy, lazy_group

COMMANDS = {
    "login": Lazy("Sign in; the session is kept for the next commands.", "sessions"),
    "logout": Lazy("End the session.", "sessions"),
    "whoami": Lazy("Show who is signed in, and where.", "sessions"),
    "projects": Lazy("List, show and create projects.", "projects"),
    "models": Lazy("List the models of the repository, and what clouds offer.", "models"),
    "datasets": Lazy("List datasets, and upload files to them.", "datasets"),
    "deployments": Lazy("List deployments.", "deployments"),
    "deploy": Lazy("Deploy a model, and watch it come up.", "deployments"),
    "watch": Lazy("Watch a workflow until it is over.", "deployments"),
    "keys": Lazy("List, create, rotate and revoke API keys.", "keys"),
}
"""Every command; a test holds the names and lines against those of the commands themselves."""

app = typer.Typer(cls=lazy_group(COMMANDS), no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"budctl {__version__}")
        raise typer.Exit


@app.callback()
def prepare(
    context: typer.Context,
    address: Annotated[
        str | None, typer.Option(envvar="BUDCTL_ADDRESS", help="Where budapp is (default: where one is signed in).")
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(envvar="BUDCTL_TOKEN", help="A service account's key, or an access token.", show_envvar=True),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    context.obj = Access(address, token)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command that the arguments (default: the process') name, and exit."""
    try:
        app(arguments, prog_name="budctl")
    except BrokenPipeError:  # such as `budctl projects list | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:  # what is no failure of a command is raised again
        from budapp_client.cli.failures import failure_of  # noqa: PLC0415 - imports the client

        failure = failure_of(error)
        if failure is None:
            raise
        typer.echo(failure.text, err=True)
        sys.exit(failure.code)
