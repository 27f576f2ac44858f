"""Finds what was changed, removed, inserted or put into another order behind the trail's back.

Everything is streamed: memory does not grow with the trail.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from budapp.audit import crud
from budapp.audit.hash_chain import Head, last_checkpoint
from budapp.audit.models import PLATFORM, AuditCheckpoint
from budapp.commons.database import Database, ReadSession, now
from budapp.commons.signing import FIRST, Keys

SEALED_WITHIN = timedelta(minutes=10)
"""An entry that is not sealed after this time did not come in by the front door."""

Kind = Literal["changed", "removed", "inserted", "reordered", "seal", "checkpoint", "truncated"]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it was written.

    Args:
        kind: what was done.
        position: where in the chain; None for what has no place in it.
        entry_id: the entry.
        text: the same for people.
    """

    kind: Kind
    position: int | None
    entry_id: UUID | None
    text: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the verification of a chain came to; `head` is where it ended, to be kept as an anchor."""

    chain_id: UUID
    checked: int
    head: Head
    finding: Finding | None


async def chains(database: Database) -> list[UUID]:
    """Return every chain there is, or should be: of seals, and of entries."""
    async with database.read() as session:
        return await crud.chains(session)


async def verify_chain(database: Database, chain_id: UUID, anchor: Head | None = None) -> Verdict:
    """Go through the tenant's chain, and then look for entries without a place in it, up to the first bad one.

    Args:
        database: where the trail is.
        chain_id: the tenant, or `PLATFORM`.
        anchor: a head that was noted outside earlier; the chain must hold it still, or have been removed up to there.
    """
    async with database.snapshot() as session:
        walk = _Walk(database.audit_keys, chain_id, anchor)
        finding = await walk.run(session) or await _loose(session, database.audit_keys, chain_id)
        return Verdict(chain_id, walk.checked, walk.head, finding)


class _Walk:
    """One way along a chain."""

    def __init__(self, keys: Keys, chain_id: UUID, anchor: Head | None) -> None:
        self._keys = keys
        self._chain_id = chain_id
        self._anchor = anchor
        self.head: Head = (0, FIRST)
        self.checked = 0

    async def run(self, session: ReadSession, until: int | None = None) -> Finding | None:
        checkpoint = await last_checkpoint(session, self._chain_id)
        if checkpoint is not None:
            if not is_signed(self._keys, checkpoint):
                return Finding("checkpoint", checkpoint.position, None, "The checkpoint's signature is not valid")
            self.head = (checkpoint.position, checkpoint.chain_hash)
        start = self.head
        async for row in crud.stream_sealed(session, self._chain_id, until):
            finding = self._link(row)
            if finding is not None:
                return finding
        return self._short_of_anchor(start)

    def _link(self, row: Mapping[Any, Any]) -> Finding | None:
        position, previous = self.head
        if row["position"] != position + 1:
            text = f"The chain goes from {position} to {row['position']}: what was between is gone"
            return Finding("removed", position + 1, None, text)
        chain_hash = self._keys.chain_hash(_seal_of(row), previous)
        if chain_hash != row["seal_chain_hash"]:
            return self._broken(row)
        finding = self._entry(row)
        self.head = (row["position"], row["seal_chain_hash"])
        self.checked += 1
        return finding or self._anchored()

    def _entry(self, row: Mapping[Any, Any]) -> Finding | None:
        position, entry_id = row["position"], row["seal_entry_id"]
        if row["id"] is None:
            return Finding("removed", position, entry_id, "The entry was removed")
        same = row["record_hash"] == row["seal_record_hash"]
        own_chain = (row["tenant_id"] or PLATFORM) == self._chain_id
        if same and own_chain and self._keys.is_authentic(row):
            return None
        return Finding("changed", position, entry_id, "The entry is not as it was written")

    def _broken(self, row: Mapping[Any, Any]) -> Finding:
        position, entry_id = row["position"], row["seal_entry_id"]
        entry = self._entry(row)
        if entry is not None:
            return entry
        if row["seal_key_id"] != self._keys.current and self._keys.chain_hash(_seal_of(row), "") is None:
            return Finding("seal", position, entry_id, f"The key {row['seal_key_id']} is not known here")
        text = "The seal does not follow from the one before: seals were changed, or put into another order"
        return Finding("reordered", position, entry_id, text)

    def _anchored(self) -> Finding | None:
        if self._anchor is None or self._anchor[0] != self.head[0] or self._anchor == self.head:
            return None
        return Finding("seal", self.head[0], None, "The chain is another one than the anchor's")

    def _short_of_anchor(self, start: Head) -> Finding | None:
        if self._anchor is None or start[0] >= self._anchor[0] or self.head[0] >= self._anchor[0]:
            return None
        text = f"The chain ends at {self.head[0]}, before the anchor at {self._anchor[0]}: its end was cut off"
        return Finding("truncated", self.head[0] + 1, None, text)


def _seal_of(row: Mapping[Any, Any]) -> dict[str, Any]:
    names = ("chain_id", "entry_id", "record_hash", "key_id")
    return {"position": row["position"]} | {name: row[f"seal_{name}"] for name in names}


def checkpoint_text(chain_id: UUID, position: int, chain_hash: str) -> str:
    """Return what the signature of a checkpoint covers."""
    return f"{chain_id}|{position}|{chain_hash}"


def is_signed(keys: Keys, checkpoint: AuditCheckpoint) -> bool:
    """Tell whether the checkpoint was made by somebody with the key."""
    text = checkpoint_text(checkpoint.chain_id, checkpoint.position, checkpoint.chain_hash)
    return keys.matches("checkpoint", text, checkpoint.key_id, checkpoint.signature)


async def _loose(session: ReadSession, keys: Keys, chain_id: UUID) -> Finding | None:
    """Look for an entry that has no place in the chain, though it should, or that nobody with the key has written."""
    async for entry in crud.stream_unsealed(session, chain_id):
        if not keys.is_authentic(entry):
            return Finding("inserted", None, entry["id"], "The entry was inserted past the service")
        if not entry["waits"] or entry["timestamp"] < now() - SEALED_WITHIN:
            text = "The entry has no place in the chain: it was put back, or its seal was removed"
            return Finding("inserted", None, entry["id"], text)
    return None


async def verify_prefix(
    session: ReadSession, keys: Keys, chain_id: UUID, until: int
) -> tuple[int, str, Finding | None]:
    """Go through the chain up to the position; return where that ended, its chain hash, and the first bad entry."""
    walk = _Walk(keys, chain_id, None)
    finding = await walk.run(session, until)
    return *walk.head, finding


async def find_tampered(
    database: Database, tenant_id: UUID, start: datetime | None, end: datetime | None, limit: int
) -> tuple[int, list[UUID]]:
    """Return how many of the tenant's entries of the time were looked at, and the ids of those that were changed."""
    seen, found = 0, list[UUID]()
    async with database.snapshot() as session:
        async for row in crud.stream_entries(session, tenant_id, start, end):
            seen += 1
            if not database.audit_keys.is_authentic(row):
                found.append(row["id"])
                if len(found) == limit:
                    break
    return seen, found
