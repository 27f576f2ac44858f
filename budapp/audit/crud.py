"""The statements about the trail's entries, seals and checkpoints."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, delete, func, insert, select

from budapp.audit.models import PLATFORM, AuditCheckpoint, AuditEntry, audit_seal, audit_unsealed
from budapp.commons.database import ReadSession, WriteSession, among

_STREAMED = {"yield_per": 1000}


async def unsealed_chains(session: ReadSession) -> Sequence[UUID]:
    """Return the chains whose entries wait for their place."""
    return (await session.scalars(select(audit_unsealed.c.chain_id).distinct())).all()


async def oldest_unsealed(session: WriteSession, chain_id: UUID, limit: int) -> Sequence[Row[Any]]:
    """Return the columns of `audit_unsealed` of the chain's oldest entries that wait."""
    oldest = select(audit_unsealed).where(audit_unsealed.c.chain_id == chain_id)
    return (await session.execute(oldest.order_by(audit_unsealed.c.number).limit(limit))).all()


async def add_seals(session: WriteSession, seals: Sequence[Mapping[str, Any]], numbers: Sequence[int]) -> None:
    """Add the seals of entries that waited under these numbers, and wait no more."""
    await session.execute(insert(audit_seal), seals)
    await session.execute(delete(audit_unsealed).where(among(audit_unsealed.c.number, numbers)))


async def last_seal(session: ReadSession, chain_id: UUID) -> Row[int, str] | None:
    """Return `position` and `chain_hash` of the chain's last seal."""
    last = select(audit_seal.c.position, audit_seal.c.chain_hash).where(audit_seal.c.chain_id == chain_id)
    return (await session.execute(last.order_by(audit_seal.c.position.desc()).limit(1))).one_or_none()


async def last_checkpoint(session: ReadSession, chain_id: UUID) -> AuditCheckpoint | None:
    """Return the checkpoint from which the chain goes on."""
    newest = select(AuditCheckpoint).where(AuditCheckpoint.chain_id == chain_id)
    checkpoint: AuditCheckpoint | None = await session.scalar(newest.order_by(AuditCheckpoint.position.desc()).limit(1))
    return checkpoint


async def chains(session: ReadSession) -> list[UUID]:
    """Return every chain there is, or should be: of seals, and of entries."""
    chain = func.coalesce(AuditEntry.tenant_id, PLATFORM)
    statement = select(chain.label("id")).union(select(audit_seal.c.chain_id), select(AuditCheckpoint.chain_id))
    return sorted(await session.scalars(statement))


async def stream_sealed(
    session: ReadSession, chain_id: UUID, until: int | None = None
) -> AsyncIterator[Mapping[Any, Any]]:
    """Yield a chain's seals (`seal_...`) with their entries, in the order of the chain, up to the position."""
    seals = [column.label(f"seal_{column.key}") for column in audit_seal.c if column.key != "position"]
    statement = (
        select(audit_seal.c.position, *seals, *AuditEntry.__table__.columns)
        .outerjoin(AuditEntry.__table__, AuditEntry.id == audit_seal.c.entry_id)
        .where(audit_seal.c.chain_id == chain_id)
        .order_by(audit_seal.c.position)
    )
    statement = statement.where(audit_seal.c.position <= until) if until is not None else statement
    rows = await session.stream(statement, execution_options=_STREAMED)
    async for row in rows.mappings():
        yield row


async def stream_unsealed(session: ReadSession, chain_id: UUID) -> AsyncIterator[Mapping[str, Any]]:
    """Yield the chain's entries without a seal, and whether each `waits` for one."""
    has_seal = select(audit_seal.c.entry_id).where(audit_seal.c.entry_id == AuditEntry.id).exists()
    waits = select(audit_unsealed.c.number).where(audit_unsealed.c.entry_id == AuditEntry.id).exists()
    ours = AuditEntry.tenant_id.is_(None) if chain_id == PLATFORM else AuditEntry.tenant_id == chain_id
    statement = select(*AuditEntry.__table__.columns, waits.label("waits")).where(ours, ~has_seal)
    rows = await session.stream(statement.order_by(AuditEntry.timestamp), execution_options=_STREAMED)
    async for row in rows.mappings():
        yield dict(row)


async def stream_entries(
    session: ReadSession, tenant_id: UUID, start: datetime | None, end: datetime | None
) -> AsyncIterator[Mapping[str, Any]]:
    """Yield the tenant's entries of the time."""
    statement: Select[Any] = select(AuditEntry.__table__).where(AuditEntry.tenant_id == tenant_id)
    statement = statement.where(AuditEntry.timestamp >= start) if start else statement
    statement = statement.where(AuditEntry.timestamp <= end) if end else statement
    rows = await session.stream(statement, execution_options=_STREAMED)
    async for row in rows.mappings():
        yield dict(row)
