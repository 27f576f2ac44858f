"""Signing in and out."""

import sys
from typing import Annotated

import typer

from budapp_client.cli.access import Access, SessionFile
from budapp_client.cli.failures import CommandFailed
from budapp_client.cli.output import Json, print_json, show_one, tell
from budapp_client.connection import Budapp, answer, sign_in
from budapp_client.errors import BudappError
from budapp_client.rest.api.users import users_get_current

app = typer.Typer()


@app.command()
def login(
    context: typer.Context,
    address: Annotated[str | None, typer.Argument(help="Where budapp is, such as https://api.example.com.")] = None,
    email: Annotated[str | None, typer.Option(envvar="BUDCTL_EMAIL", help="Asked for where left out.")] = None,
    tenant: Annotated[
        str | None, typer.Option(help="Id or identifier of the company (default: the platform's).")
    ] = None,
    password_stdin: Annotated[bool, typer.Option("--password-stdin", help="Read the password from a pipe.")] = False,
    as_json: Json = False,
) -> None:
    """Sign in; the session is kept for the next commands."""
    access: Access = context.obj
    session = SessionFile()
    address = address or access.address or session.address
    if address is None:
        raise CommandFailed("The address of budapp is missing", "budctl login https://api.example.com", 2)
    email = email or typer.prompt("E-mail", err=True)
    password = (
        sys.stdin.readline().rstrip("\n") if password_stdin else typer.prompt("Password", hide_input=True, err=True)
    )
    session.keep(address, sign_in(address, email, password, tenant))
    if as_json:
        print_json({"address": address, "email": email})
    else:
        tell(f"Signed in at {address} as {email}")


@app.command()
def logout(as_json: Json = False) -> None:
    """End the session."""
    session = SessionFile()
    address = session.address
    if address is not None:
        _end(address, session)
    session.forget()
    if as_json:
        print_json({"signed_out": address is not None})
    else:
        tell("Signed out" if address else "You were not signed in")


def _end(address: str, session: SessionFile) -> None:
    try:
        with Budapp.resume(address, session) as api:
            api.sign_out()
    except BudappError as error:  # it may have ended already; the file goes in any case
        tell(f"The session could not be ended at {address}: {error}")


@app.command()
def whoami(context: typer.Context, as_json: Json = False) -> None:
    """Show who is signed in, and where."""
    access: Access = context.obj
    with access.connect() as api:
        user = answer(users_get_current.sync(client=api)).user
        facts = {"Name": lambda user: user.name, "E-mail": lambda user: user.email, "Role": lambda user: user.role}
        show_one(user, facts | {"Address": lambda _: api.address}, as_json=as_json)
