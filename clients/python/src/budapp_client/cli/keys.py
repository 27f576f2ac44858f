"""API keys."""

from itertools import islice
from typing import Annotated, Literal, cast
from uuid import UUID

import typer

from budapp_client.cli.access import Access
from budapp_client.cli.names import project_id
from budapp_client.cli.output import Columns, Json, Limit, print_json, show_list, show_one, tell
from budapp_client.connection import answer
from budapp_client.errors import BudappError
from budapp_client.paging import each
from budapp_client.rest.api.api_keys import api_keys_create, api_keys_list, api_keys_revoke, api_keys_rotate
from budapp_client.rest.models import KeyCreate, KeyListed, KeyView, RotateRequest
from budapp_client.rest.types import UNSET

app = typer.Typer(no_args_is_help=True, help="List, create, rotate and revoke API keys.")

KeyId = Annotated[UUID, typer.Argument(help="The key's id, as `budctl keys list` shows it.")]
Days = Literal["never", "30", "60", "90"]

_COLUMNS: Columns[KeyListed] = {
    "ID": lambda key: key.id,
    "NAME": lambda key: key.name,
    "PROJECT": lambda key: key.project.name,
    "OWNER": lambda key: key.owner.name,
    "EXPIRES": lambda key: "expired" if key.is_expired else key.expiry or "never",
    "LAST USED": lambda key: key.last_used_at or "never",
}
_SECRET: Columns[KeyView] = {
    "ID": lambda key: key.id,
    "Name": lambda key: key.name,
    "Key": lambda key: key.key,
    "Expires": lambda key: key.expiry or "never",
}
_ONCE = "Keep the key now: it is not shown again."


@app.command("list")
def list_keys(
    context: typer.Context,
    project: Annotated[str | None, typer.Option(help="Only those of this project, by name or id.")] = None,
    limit: Limit = 100,
    as_json: Json = False,
) -> None:
    """List your keys, or as an administrator all; without their secrets."""
    access: Access = context.obj
    with access.connect() as api:
        found = each(
            api_keys_list.sync,
            lambda page: page.credentials,
            client=api,
            limit=min(limit, 100),
            project_id=project_id(api, project) if project else UNSET,
        )
        show_list(islice(found, limit), _COLUMNS, "No keys", as_json=as_json)


@app.command()
def create(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="What the key is for.")],
    project: Annotated[str, typer.Option(help="Whose deployments it opens: name or id.")],
    days: Annotated[Days | None, typer.Option(help="Until it expires (default: as your company has it).")] = None,
    as_json: Json = False,
) -> None:
    """Create a key, and show its secret, this once."""
    access: Access = context.obj
    with access.connect() as api:
        body = KeyCreate(name=name, project_id=project_id(api, project))
        if days is not None:
            body.expiry = cast(Literal[0, 30, 60, 90], 0 if days == "never" else int(days))
        made = answer(api_keys_create.sync(client=api, body=body)).result
        if not isinstance(made, KeyView):
            raise BudappError("The service made something else than a key")
        _show_secret(made, as_json=as_json)


@app.command()
def rotate(
    context: typer.Context,
    key: KeyId,
    grace: Annotated[int, typer.Option(min=0, help="Seconds for which the secret before still works.")] = 3600,
    as_json: Json = False,
) -> None:
    """Give a key another secret, and show it, this once."""
    access: Access = context.obj
    with access.connect() as api:
        found = answer(api_keys_rotate.sync(key, client=api, body=RotateRequest(grace_seconds=grace)))
        _show_secret(found.result, as_json=as_json)


@app.command()
def revoke(context: typer.Context, key: KeyId, as_json: Json = False) -> None:
    """Revoke a key for good."""
    access: Access = context.obj
    with access.connect() as api:
        done = answer(api_keys_revoke.sync(key, client=api))
        if as_json:
            print_json(done.to_dict())
        else:
            tell(str(done.message))


def _show_secret(key: KeyView, *, as_json: bool) -> None:
    show_one(key, _SECRET, as_json=as_json)
    if not as_json:
        tell(_ONCE)
