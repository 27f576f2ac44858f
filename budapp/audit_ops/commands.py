"""`budapp audit ...`: checking the trail from outside the service."""

from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer

from budapp.audit.hash_chain import Head
from budapp.audit.verification import Verdict, chains, verify_chain
from budapp.audit_ops.export import BadExport
from budapp.audit_ops.export import verify_export as check_file
from budapp.audit_ops.retention import remove_old
from budapp.commons.commands import AsJson, run_with, show
from budapp.commons.config import audit_keys_of, get_settings
from budapp.commons.database import Database
from budapp.commons.signing import Keys

app = typer.Typer(no_args_is_help=True, help="Verify and trim the audit trail.")


def _anchor(text: str) -> Head:
    position, _, chain_hash = text.partition(":")
    if not position.isdecimal() or len(chain_hash) != 64:
        raise typer.BadParameter("the anchor must have the form <position>:<chain hash>")
    return int(position), chain_hash


@app.command()
def verify(
    tenant: Annotated[UUID | None, typer.Option(help="Only this tenant's chain")] = None,
    anchor: Annotated[str | None, typer.Option(help="<position>:<chain hash> noted earlier; needs --tenant")] = None,
    as_json: AsJson = False,
) -> None:
    """Verify the hash chains; exit with status 1 at the first entry of a chain that was changed."""
    if anchor is not None and tenant is None:
        raise typer.BadParameter("--anchor requires --tenant")
    verdicts = run_with(lambda c: _verify(c[Database], tenant, _anchor(anchor) if anchor else None))
    show([_as_json(verdict) for verdict in verdicts], map(_described, verdicts), as_json=as_json)
    if any(verdict.finding for verdict in verdicts):
        raise typer.Exit(1)


async def _verify(database: Database, tenant: UUID | None, anchor: Head | None) -> list[Verdict]:
    wanted = [tenant] if tenant is not None else await chains(database)
    return [await verify_chain(database, chain_id, anchor) for chain_id in wanted]


def _as_json(verdict: Verdict) -> dict[str, Any]:
    position, chain_hash = verdict.head
    found = verdict.finding
    finding = found and {"kind": found.kind, "position": found.position, "entry": found.entry_id, "text": found.text}
    anchor = f"{position}:{chain_hash}"
    return {"chain": verdict.chain_id, "checked": verdict.checked, "anchor": anchor, "finding": finding}


def _described(verdict: Verdict) -> str:
    anchor = f"{verdict.head[0]}:{verdict.head[1]}"
    if verdict.finding is None:
        return f"{verdict.chain_id}: {verdict.checked} entries as they were written, anchor {anchor}"
    found = verdict.finding
    return f"{verdict.chain_id}: {found.kind.upper()} at {found.position}, entry {found.entry_id}: {found.text}"


@app.command("verify-export")
def verify_export(file: Annotated[Path, typer.Argument(exists=True, dir_okay=False)], as_json: AsJson = False) -> None:
    """Verify a file from `/audit/export`; exit with status 1 if it was changed or is incomplete."""
    try:
        closing = check_file(Keys(audit_keys_of(get_settings())), file)
    except BadExport as error:
        show({"file": str(file), "problem": str(error)}, [f"{file}: {error}"], as_json=as_json)
        raise typer.Exit(1) from None
    anchor = f"{closing['head']['position']}:{closing['head']['chain_hash']}"
    found = {"file": str(file), "problem": None, "entries": closing["count"], "anchor": anchor}
    show(found, [f"{file}: {closing['count']} entries as exported, anchor {anchor}"], as_json=as_json)


@app.command()
def retain() -> None:
    """Delete the entries whose retention has ended."""
    run_with(lambda c: remove_old(c[Database]))
