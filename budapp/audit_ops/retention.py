"""Removes entries that a tenant keeps no longer, in a way that leaves the rest of the chain verifiable."""

from datetime import datetime, timedelta
from functools import partial
from operator import itemgetter
from uuid import UUID

from budapp.audit.hash_chain import lock_chains
from budapp.audit.models import Action, AuditCheckpoint, ResourceType
from budapp.audit.recorder import record
from budapp.audit.verification import checkpoint_text, verify_prefix
from budapp.audit_ops import crud
from budapp.audit_ops.models import AuditRetention
from budapp.commons.access import Caller
from budapp.commons.database import Database, ReadSession, WriteSession, now
from budapp.commons.isolation import each_isolated
from budapp.commons.logging import get_logger
from budapp.commons.signing import Keys

logger = get_logger(__name__)

_IN_ONE_TRANSACTION = 5000
_TRANSACTIONS_IN_ONE_RUN = 20
_JOB = "remove_old_audit_entries"


async def get_days(session: ReadSession, caller: Caller) -> int | None:
    """Return for how many days the tenant keeps entries; None is for ever."""
    found = await crud.retention_of(session, caller.tenant_id)
    return found.days if found is not None else None


async def set_days(session: WriteSession, caller: Caller, days: int | None) -> None:
    """Keep the tenant's entries for so many days from now on."""
    found = await crud.retention_of(session, caller.tenant_id)
    if days is None:
        if found is not None:
            await session.delete(found)
        return
    found = found or AuditRetention(tenant_id=caller.tenant_id)
    found.days = days
    session.add(found)


async def remove_old(database: Database) -> None:
    """Remove what every tenant keeps no longer."""
    async with database.read() as session:
        tenants = await crud.retentions(session)
    await each_isolated(database, _JOB, tenants, partial(_remove_of, database), key=itemgetter(0), seconds=240)


async def _remove_of(database: Database, kept: tuple[UUID, int]) -> None:
    tenant_id, days = kept
    before = now() - timedelta(days=days)
    for _ in range(_TRANSACTIONS_IN_ONE_RUN):
        if await _remove_some(database, tenant_id, before) < _IN_ONE_TRANSACTION:
            return


async def _remove_some(database: Database, tenant_id: UUID, before: datetime) -> int:
    """Remove the oldest entries of the chain, and return how many.

    Nothing is removed that was tampered with, as that would cover it up, nor what is still to be delivered.
    """
    async with database.write() as session:
        await lock_chains(session, wait=True)
        until = await _until(session, tenant_id, before)
        if until is None:
            return 0
        _, chain_hash, finding = await verify_prefix(session, database.audit_keys, tenant_id, until)
        if finding is not None:
            logger.error("audit_not_removed", tenant_id=str(tenant_id), finding=finding.text)
            return 0
        session.add(_checkpoint(database.audit_keys, tenant_id, until, chain_hash))
        await session.flush()
        removed = await crud.remove_until(session, tenant_id, until)
        details = {"operation": "retention", "entries": removed, "until": until, "before": before.isoformat()}
        record(session, Action.DELETE, ResourceType.LOG, tenant_id=tenant_id, details=details)
    return removed


async def _until(session: WriteSession, tenant_id: UUID, before: datetime) -> int | None:
    start = await crud.first_position(session, tenant_id)
    if start is None:
        return None
    until = await crud.last_to_remove(session, tenant_id, before, start - 1, _IN_ONE_TRANSACTION)
    delivery = await crud.delivery_of(session, tenant_id)
    if delivery is not None:
        until = min(until, delivery.position)
    return until if until >= start else None


def _checkpoint(keys: Keys, chain_id: UUID, position: int, chain_hash: str) -> AuditCheckpoint:
    return AuditCheckpoint(
        chain_id=chain_id,
        position=position,
        chain_hash=chain_hash,
        key_id=keys.current,
        signature=keys.sign("checkpoint", checkpoint_text(chain_id, position, chain_hash)),
    )
