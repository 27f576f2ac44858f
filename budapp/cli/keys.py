"""Manage the keys that encrypt secrets in the database."""

from collections import Counter
from collections.abc import Sequence
from typing import Annotated

import typer

from budapp.commons.commands import run_with
from budapp.commons.database import Database
from budapp.commons.domain import Components
from budapp.commons.key_rotation import BATCH, KeyUse, Rotation, key_uses
from budapp.commons.key_rotation import rotate as rotate_keys

app = typer.Typer(no_args_is_help=True, help=__doc__)


@app.command()
def status() -> None:
    """Show how many rows each key of ENCRYPTION_KEYS encrypts, and which keys can be removed."""

    async def work(components: Components) -> tuple[list[KeyUse], Sequence[str]]:
        database = components[Database]
        return await key_uses(database), database.encryption.key_ids

    uses, key_ids = run_with(work)
    for use in uses:
        typer.echo(f"{use.column:<45} {use.key_id:<20} {use.rows:>10}")
    rows: Counter[str] = Counter()
    for use in uses:
        rows[use.key_id] += use.rows
    for key_id in [*key_ids, *sorted(rows.keys() - set(key_ids))]:
        typer.echo(f"Key {key_id}: {_verdict(key_id, rows[key_id], key_ids)}")


def _verdict(key_id: str, rows: int, key_ids: Sequence[str]) -> str:
    if key_id == key_ids[0]:
        return f"seals what is new; {rows} rows"
    if key_id not in key_ids:
        return f"missing from ENCRYPTION_KEYS, and {rows} rows need it"
    return f"needed by {rows} rows: run budapp keys rotate" if rows else "no row needs it: it can be dropped"


@app.command()
def rotate(batch: Annotated[int, typer.Option(min=1, help="Rows per transaction")] = BATCH) -> None:
    """Re-encrypt every secret with the first key of ENCRYPTION_KEYS while the service runs; safe to stop and repeat."""
    done = run_with(lambda components: rotate_keys(components[Database], _report, batch=batch))
    left, unreadable = sum(max(one.left, 0) for one in done), sum(one.unreadable for one in done)
    typer.echo(f"{sum(one.resealed for one in done)} rows sealed with the first key")
    if left:
        typer.echo(
            f"{left} rows are still under other keys: is the new key first on every replica? Then run this again"
        )
    if unreadable:
        typer.echo(f"{unreadable} rows can't be opened with any key of ENCRYPTION_KEYS; the log names them")
    if left or unreadable:
        raise typer.Exit(1)


def _report(rotation: Rotation) -> None:
    typer.echo(f"{rotation.column}: {rotation.resealed} of {rotation.total}", err=True)
