"""Gives entries their place in the chain of their tenant, shortly after their commit, so that writers never wait.

A trigger puts each entry's hash into `audit_unsealed`; the sealer, one at a time however many replicas there are, takes
them in the order of their arrival. It goes by what the trigger saw: an entry that is changed or removed before it is
sealed is found by the verification like any other.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from prometheus_client import Counter
from sqlalchemy import Row

from budapp.audit import crud
from budapp.audit.models import AuditCheckpoint
from budapp.commons import advisory_locks
from budapp.commons.database import Database, ReadSession, WriteSession
from budapp.commons.isolation import each_isolated
from budapp.commons.logging import get_logger
from budapp.commons.signing import FIRST, Keys

logger = get_logger(__name__)

SEALED = Counter("budapp_audit_entries_sealed", "Audit entries added to the hash chain")

_IN_ONE_TRANSACTION = 500
_TRANSACTIONS_IN_ONE_RUN = 20
_JOB = "seal_audit_entries"
_CHAINS = "budapp:audit_chains"


async def seal(database: Database) -> int:
    """Seal what waits, and return how many entries that were; 0 where another sealer is at it."""
    async with database.read() as session:
        chains = await crud.unsealed_chains(session)
    sealed: list[int] = []

    async def seal_chain(chain_id: UUID) -> None:
        for _ in range(_TRANSACTIONS_IN_ONE_RUN):
            async with database.write() as session:
                sealed.append(await _seal_some(session, chain_id, database.audit_keys))
            if sealed[-1] < _IN_ONE_TRANSACTION:
                return

    await each_isolated(database, _JOB, chains, seal_chain)
    return sum(sealed)


async def lock_chains(session: WriteSession, *, wait: bool) -> bool:
    """Keep everybody else from adding to the chains, or removing from them, until the end of the unit of work."""
    if wait:
        await advisory_locks.lock(session, _CHAINS)
        return True
    return await advisory_locks.try_lock(session, _CHAINS)


async def _seal_some(session: WriteSession, chain_id: UUID, keys: Keys) -> int:
    if not await lock_chains(session, wait=False):
        return 0
    waiting = await crud.oldest_unsealed(session, chain_id, _IN_ONE_TRANSACTION)
    if not waiting:
        return 0
    links = _links(waiting, await head_of(session, chain_id), keys)
    await crud.add_seals(session, links, [row.number for row in waiting])
    logger.info("audit_sealed", chain=str(chain_id), anchor="{position}:{chain_hash}".format_map(links[-1]))
    SEALED.inc(len(waiting))
    return len(waiting)


Head = tuple[int, str]
"""The position and the chain hash of a chain's last link."""


async def head_of(session: ReadSession, chain_id: UUID) -> Head:
    """Return the chain's last link; the last checkpoint where retention has removed all behind it."""
    row = await crud.last_seal(session, chain_id)
    if row is not None:
        return row.position, row.chain_hash
    checkpoint = await last_checkpoint(session, chain_id)
    return (checkpoint.position, checkpoint.chain_hash) if checkpoint is not None else (0, FIRST)


async def last_checkpoint(session: ReadSession, chain_id: UUID) -> AuditCheckpoint | None:
    """Return the checkpoint from which the chain goes on."""
    return await crud.last_checkpoint(session, chain_id)


def _links(waiting: Sequence[Row[Any]], head: Head, keys: Keys) -> list[dict[str, Any]]:
    """Return the seals of the entries, which follow the chain's head."""
    links = []
    start, previous = head
    for position, row in enumerate(waiting, start + 1):
        link = {
            "chain_id": row.chain_id,
            "position": position,
            "entry_id": row.entry_id,
            "record_hash": row.record_hash,
            "key_id": keys.current,
        }
        previous = _bound(keys, link, previous)
        links.append({**link, "chain_hash": previous})
    return links


def _bound(keys: Keys, link: Mapping[str, Any], previous: str) -> str:
    chain_hash = keys.chain_hash(link, previous)
    assert chain_hash is not None
    return chain_hash
