"""The trail as a file that proves itself: streamed in the order of the chain, with a signature at its end."""

import hashlib
import json
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic_core import to_jsonable_python

from budapp.audit.hash_chain import head_of, last_checkpoint, seal
from budapp.audit.models import Action, ResourceType
from budapp.audit.recorder import record
from budapp.audit_ops.crud import AuditCrud
from budapp.audit_ops.schemas import AuditFilter
from budapp.commons.access import Caller
from budapp.commons.database import Database, now
from budapp.commons.signing import FIRST, SIGNED, Keys, canonical_wire
from budapp.commons.spreadsheets import csv_line

_AT_ONCE = 500
_END = "# budapp-audit-export "

_CSV = {
    "ID": "id",
    "Timestamp": "timestamp",
    "User ID": "user_id",
    "User Email": "user_email",
    "User Name": "user_name",
    "Actioned By ID": "actioned_by",
    "Actioned By Email": "actioned_by_email",
    "Actioned By Name": "actioned_by_name",
    "Action": "action",
    "Resource Type": "resource_type",
    "Resource ID": "resource_id",
    "Resource Name": "resource_name",
    "IP Address": "ip_address",
    "Details": "details",
    "Previous State": "previous_state",
    "New State": "new_state",
    "Record Hash": "record_hash",
}


@dataclass(slots=True)
class Export:
    """One export: what it holds, and how much of it has been sent."""

    database: Database
    caller: Caller
    query: AuditFilter
    format: str
    sent: int = 0
    complete: bool = False

    async def begin(self) -> None:
        """Record that the export begins, and seal what waits, so that the file is as new as can be.

        Raises:
            DBAPIError: PostgreSQL refuses the filters; nothing is recorded, and no byte is on its way.
        """
        async with self.database.read() as session:
            await AuditCrud(session, self.caller).sealed_after(0, self.query, 1)
        await self._record(state="begun")
        await seal(self.database)

    async def end(self) -> None:
        """Record what was really sent."""
        await self._record(state="sent" if self.complete else "broken off", entries=self.sent)

    async def _record(self, **details: Any) -> None:
        details |= {"format": self.format, "filters": self.query.filters()}
        async with self.database.write() as session:
            record(session, Action.DATA_EXPORT, ResourceType.LOG, details=details)

    @property
    def file_name(self) -> str:
        """What a browser saves it as."""
        return f"audit_export_{now():%Y%m%d%H%M%S}.{self.format}"

    @property
    def media_type(self) -> str:
        """What it is."""
        return "text/csv; charset=utf-8" if self.format == "csv" else "application/x-ndjson"

    async def lines(self) -> AsyncIterator[bytes]:
        """Yield the file; memory does not grow with it."""
        digest = hashlib.sha256()
        start, head = await self._ends()
        for line in self._opening(start):
            digest.update(line)
            yield line
        position = start[0]
        while rows := await self._rows(position, head[0]):
            position = rows[-1]["position"]
            chunk = b"".join(self._line(row) for row in rows)
            digest.update(chunk)
            yield chunk
            self.sent += len(rows)
        yield self._closing(digest.hexdigest(), self.sent, head)
        self.complete = True

    async def _ends(self) -> tuple[tuple[int, str], tuple[int, str]]:
        async with self.database.read() as session:
            checkpoint = await last_checkpoint(session, self.caller.tenant_id)
            start = (checkpoint.position, checkpoint.chain_hash) if checkpoint else (0, FIRST)
            return start, await head_of(session, self.caller.tenant_id)

    async def _rows(self, after: int, until: int) -> list[dict[str, Any]]:
        async with self.database.read() as session:
            rows = await AuditCrud(session, self.caller).sealed_after(after, self.query, _AT_ONCE)
        return [row for row in rows if row["position"] <= until]

    def _opening(self, start: tuple[int, str]) -> Iterable[bytes]:
        if self.format == "csv":
            return [csv_line(_CSV)]
        opening = {
            "object": "audit.export",
            "tenant_id": str(self.caller.tenant_id),
            "exported_by": str(self.caller.user_id),
            "exported_at": now().isoformat(),
            "filters": self.query.filters(),
            "complete": not self.query.filters(),  # whoever may have the file as lines sees the whole trail
            "start": {"position": start[0], "chain_hash": start[1]},
        }
        return [_json_line(opening)]

    def _line(self, row: dict[str, Any]) -> bytes:
        if self.format == "csv":
            return csv_line(_cell(row[name]) for name in _CSV.values())
        wire = to_jsonable_python({name: row[name] for name in (*SIGNED, "record_hash", "position")})
        wire["timestamp"] = row["timestamp"].isoformat()
        wire["seal"] = {name: str(row[f"seal_{name}"]) for name in ("record_hash", "key_id", "chain_hash")}
        return _json_line(wire)

    def _closing(self, digest: str, count: int, head: tuple[int, str]) -> bytes:
        keys = self.database.audit_keys
        closing: dict[str, Any] = {
            "object": "audit.export.end",
            "count": count,
            "head": {"position": head[0], "chain_hash": head[1]},
            "sha256": digest,
            "key_id": keys.current,
        }
        closing["signature"] = keys.sign("export", json.dumps(closing, sort_keys=True))
        return (_END.encode() if self.format == "csv" else b"") + _json_line(closing)


def _cell(value: Any) -> str:
    plain = to_jsonable_python(value)
    if plain is None:
        return ""
    return json.dumps(plain, sort_keys=True) if isinstance(plain, dict | list) else str(plain)


def _json_line(value: dict[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"


class BadExport(Exception):
    """The file is not what was exported; the message says where."""


def verify_export(keys: Keys, path: Path) -> dict[str, Any]:
    """Check a file that came from an export, and return its last line: count and head of the chain.

    Raises:
        BadExport: something was changed, removed or added; or the file is not complete.
    """
    digest, chain = hashlib.sha256(), _ChainOfFile(keys)
    last, has_chain = b"", False
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            has_chain = line.startswith(b"{") if number == 1 else has_chain
            if last:
                digest.update(last)
            if last and has_chain:
                chain.take(last, number - 1)
            last = line
    closing = _closing_of(keys, last)
    if closing["sha256"] != digest.hexdigest():
        raise BadExport("The lines differ from the ones that were exported")
    if chain.complete and chain.head != (closing["head"]["position"], closing["head"]["chain_hash"]):
        raise BadExport("The file ends before its chain does")
    return closing


def _closing_of(keys: Keys, line: bytes) -> dict[str, Any]:
    try:
        closing: dict[str, Any] = json.loads(line.removeprefix(_END.encode()))
        signature = closing["signature"]
        text = json.dumps({name: value for name, value in closing.items() if name != "signature"}, sort_keys=True)
        genuine = keys.matches("export", text, closing["key_id"], signature)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise BadExport("The export is incomplete: its last line is missing") from None
    if not genuine:
        raise BadExport("The signature is not valid")
    return closing


class _ChainOfFile:
    """Follows the entries of a file of JSON lines; a CSV file is vouched for by its signature alone."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._tenant_id = ""
        self.complete = False
        self.head = (0, FIRST)

    def take(self, line: bytes, number: int) -> None:
        try:
            entry = json.loads(line)
            if entry.get("object") == "audit.export":
                self._open(entry)
            else:
                self._check(entry, number)
        except (ValueError, KeyError, TypeError, AttributeError):
            raise BadExport(f"Line {number} is not an audit entry") from None

    def _open(self, opening: dict[str, Any]) -> None:
        self._tenant_id, self.complete = opening["tenant_id"], opening["complete"]
        self.head = (opening["start"]["position"], opening["start"]["chain_hash"])

    def _check(self, entry: dict[str, Any], number: int) -> None:
        if not self._keys.matches("entry", canonical_wire(entry), entry["key_id"], entry["record_hash"]):
            raise BadExport(f"Line {number}: entry {entry['id']} is not as it was written")
        if not self.complete:
            return
        link = {
            "chain_id": self._tenant_id,
            "position": entry["position"],
            "entry_id": entry["id"],
            "record_hash": entry["record_hash"],
            "key_id": entry["seal"]["key_id"],
        }
        follows = entry["position"] == self.head[0] + 1
        chain_hash = self._keys.chain_hash(link, self.head[1])
        if not follows or chain_hash != entry["seal"]["chain_hash"]:
            raise BadExport(f"Line {number}: entry {entry['id']} does not follow the one before it")
        self.head = (entry["position"], entry["seal"]["chain_hash"])
