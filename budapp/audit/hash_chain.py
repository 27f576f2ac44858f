"""Gives entries their place in the chain of their tenant, shortly after their commit, so that writers never wait.

A trigger puts each entry's hash into `audit_unsealed`; the sealer, one at a time however many replicas there are, takes
them in the order of their arrival. It goes by what the trigger saw: an entry that is changed or removed before it is
sealed is found by the verification like any other.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from prometheus_client import Counter
from sqlalchemy import Row, delete, func, insert, select

from budapp.audit.models import AuditCheckpoint, audit_seal, audit_unsealed
from budapp.commons.database import Database, ReadSession, WriteSession
from budapp.commons.logging import get_logger
from budapp.commons.signing import FIRST, Keys

logger = get_logger(__name__)

SEALED = Counter("budapp_audit_entries_sealed", "Audit entries that got their place in the chain")

_IN_ONE_TRANSACTION = 2000


async def seal(database: Database) -> int:
    """Seal what waits, and return how many entries that were; 0 where another sealer is at it."""
    total = sealed = 0
    while total == 0 or sealed == _IN_ONE_TRANSACTION:
        async with database.write() as session:
            sealed = await _seal_some(session, database.audit_keys)
        total += sealed
        if sealed == 0:
            break
    return total


async def lock_chains(session: WriteSession, *, wait: bool) -> bool:
    """Keep everybody else from adding to the chains, or removing from them, until the end of the unit of work."""
    name = func.hashtextextended("budapp:audit_chains", 0)
    if wait:
        await session.execute(select(func.pg_advisory_xact_lock(name)))
        return True
    return bool(await session.scalar(select(func.pg_try_advisory_xact_lock(name))))


async def _seal_some(session: WriteSession, keys: Keys) -> int:
    if not await lock_chains(session, wait=False):
        return 0
    oldest = select(audit_unsealed).order_by(audit_unsealed.c.number).limit(_IN_ONE_TRANSACTION)
    waiting = (await session.execute(oldest)).all()
    if not waiting:
        return 0
    heads: dict[UUID, Head] = {}
    for chain_id in {row.chain_id for row in waiting}:
        heads[chain_id] = await head_of(session, chain_id)
    await session.execute(insert(audit_seal), _links(waiting, heads, keys))
    numbers = [row.number for row in waiting]
    await session.execute(delete(audit_unsealed).where(audit_unsealed.c.number.in_(numbers)))
    for chain_id, (position, chain_hash) in heads.items():
        logger.info("audit_sealed", chain=str(chain_id), anchor=f"{position}:{chain_hash}")
    SEALED.inc(len(waiting))
    return len(waiting)


Head = tuple[int, str]
"""The position and the chain hash of a chain's last link."""


async def head_of(session: ReadSession, chain_id: UUID) -> Head:
    """Return the chain's last link; the last checkpoint where retention has removed all behind it."""
    last = select(audit_seal.c.position, audit_seal.c.chain_hash).where(audit_seal.c.chain_id == chain_id)
    row = (await session.execute(last.order_by(audit_seal.c.position.desc()).limit(1))).one_or_none()
    if row is not None:
        return row.position, row.chain_hash
    checkpoint = await last_checkpoint(session, chain_id)
    return (checkpoint.position, checkpoint.chain_hash) if checkpoint is not None else (0, FIRST)


async def last_checkpoint(session: ReadSession, chain_id: UUID) -> AuditCheckpoint | None:
    """Return the checkpoint from which the chain goes on."""
    newest = select(AuditCheckpoint).where(AuditCheckpoint.chain_id == chain_id)
    checkpoint: AuditCheckpoint | None = await session.scalar(newest.order_by(AuditCheckpoint.position.desc()).limit(1))
    return checkpoint


def _links(waiting: Sequence[Row[Any]], heads: dict[UUID, Head], keys: Keys) -> list[dict[str, Any]]:
    """Return the seals of the entries; moves the heads on."""
    links = []
    for row in waiting:
        position, previous = heads[row.chain_id]
        link = {
            "chain_id": row.chain_id,
            "position": position + 1,
            "entry_id": row.entry_id,
            "record_hash": row.record_hash,
            "key_id": keys.current,
        }
        chain_hash = _bound(keys, link, previous)
        heads[row.chain_id] = (position + 1, chain_hash)
        links.append({**link, "chain_hash": chain_hash})
    return links


def _bound(keys: Keys, link: Mapping[str, Any], previous: str) -> str:
    chain_hash = keys.chain_hash(link, previous)
    assert chain_hash is not None
    return chain_hash
