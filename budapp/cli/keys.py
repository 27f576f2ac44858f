"""Manage the keys that encrypt secrets in the database."""

from collections import Counter
from collections.abc import Sequence
from typing import Annotated

import typer

from budapp.commons.commands import AsJson, run_with, show, table
from budapp.commons.database import Database
from budapp.commons.domain import Components
from budapp.commons.key_rotation import BATCH, KeyUse, Rotation, key_uses
from budapp.commons.key_rotation import rotate as rotate_keys

app = typer.Typer(no_args_is_help=True, help=__doc__)


@app.command()
def status(as_json: AsJson = False) -> None:
    """Show how many rows each key of ENCRYPTION_KEYS encrypts, and which keys can be removed."""

    async def work(components: Components) -> tuple[list[KeyUse], Sequence[str]]:
        database = components[Database]
        return await key_uses(database), database.encryption.key_ids

    uses, key_ids = run_with(work)
    rows: Counter[str] = Counter()
    for use in uses:
        rows[use.key_id] += use.rows
    known = [*key_ids, *sorted(rows.keys() - set(key_ids))]
    verdicts = {key_id: _verdict(key_id, rows[key_id], key_ids) for key_id in known}
    columns = table(("COLUMN", "KEY", "ROWS"), [(use.column, use.key_id, use.rows) for use in uses])
    found = {
        "columns": [{"column": use.column, "key_id": use.key_id, "rows": use.rows} for use in uses],
        "keys": [
            {
                "key_id": key_id,
                "rows": rows[key_id],
                "known": key_id in key_ids,
                "needed": bool(rows[key_id]) or key_id == key_ids[0],
            }
            for key_id in known
        ],
    }
    lines = [*columns, *(f"Key {key_id}: {verdict}" for key_id, verdict in verdicts.items())]
    show(found, lines, as_json=as_json)


def _verdict(key_id: str, rows: int, key_ids: Sequence[str]) -> str:
    if key_id == key_ids[0]:
        return f"seals what is new; {rows} rows"
    if key_id not in key_ids:
        return f"missing from ENCRYPTION_KEYS, and {rows} rows need it"
    return f"needed by {rows} rows: run budapp keys rotate" if rows else "no row needs it: it can be dropped"


@app.command()
def rotate(
    batch: Annotated[int, typer.Option(min=1, help="Rows per transaction")] = BATCH, as_json: AsJson = False
) -> None:
    """Re-encrypt every secret with the first key of ENCRYPTION_KEYS while the service runs; safe to stop and repeat."""
    done = run_with(lambda components: rotate_keys(components[Database], _report, batch=batch))
    left, unreadable = sum(max(one.left, 0) for one in done), sum(one.unreadable for one in done)
    resealed = sum(one.resealed for one in done)
    lines = [f"{resealed} rows sealed with the first key"]
    if left:
        lines.append(
            f"{left} rows are still under other keys: is the new key first on every replica? Then run this again"
        )
    if unreadable:
        lines.append(f"{unreadable} rows can't be opened with any key of ENCRYPTION_KEYS; the log names them")
    show({"sealed": resealed, "left": left, "unreadable": unreadable}, lines, as_json=as_json)
    if left or unreadable:
        raise typer.Exit(1)


def _report(rotation: Rotation) -> None:
    typer.echo(f"{rotation.column}: {rotation.resealed} of {rotation.total}", err=True)
