"""Looking into the trail, and checking it, for people."""

from typing import Any
from uuid import UUID

from sqlalchemy import Row

from budapp.audit.models import AuditEntry
from budapp.audit.verification import find_tampered as find_tampered_entries
from budapp.audit_ops.crud import AuditCrud
from budapp.audit_ops.schemas import (
    AuditFilter,
    AuditPeriod,
    AuditQuery,
    AuditSummary,
    BatchVerdict,
    RecordVerdict,
    Tampered,
    TamperedQuery,
)
from budapp.commons.access import Caller
from budapp.commons.crud import Page
from budapp.commons.database import Database, ReadSession
from budapp.commons.errors import NotFound
from budapp.commons.signing import Keys

_NO_RECORD = "Audit record not found"


async def list_records(session: ReadSession, caller: Caller, query: AuditQuery) -> Page:
    """Return a page of the trail in reach, newest first."""
    return await AuditCrud(session, caller).page_of_records(query)


async def get_record(session: ReadSession, caller: Caller, id: UUID) -> Row[Any]:
    """Return the entry with the names of who and whom.

    Raises:
        NotFound: no such entry, or out of reach.
    """
    row = await AuditCrud(session, caller).named(id)
    if row is None:
        raise NotFound(_NO_RECORD)
    return row


async def summarize(session: ReadSession, caller: Caller, period: AuditPeriod) -> AuditSummary:
    """Return what the trail in reach holds of the time."""
    crud, query = AuditCrud(session, caller), AuditFilter(**period.model_dump())
    counts = await crud.counts(query)
    return AuditSummary.model_validate(
        {
            **counts._mapping,
            "most_common_actions": await crud.most_common(AuditEntry.action, query),
            "most_active_users": await crud.most_common(AuditEntry.user_id, query),
            "date_range": {"start": period.start_date, "end": period.end_date},
        }
    )


async def verify_record(session: ReadSession, keys: Keys, caller: Caller, id: UUID) -> RecordVerdict:
    """Tell whether the entry is as it was written.

    Raises:
        NotFound: no such entry, or out of reach.
    """
    verdict = (await _verdicts(session, keys, caller, [id]))[0]
    if verdict.message == _NO_RECORD:
        raise NotFound(_NO_RECORD)
    return verdict


async def verify_batch(session: ReadSession, keys: Keys, caller: Caller, ids: list[UUID]) -> BatchVerdict:
    """Tell of each entry whether it is as it was written; one that is missing, or out of reach, is not."""
    results = await _verdicts(session, keys, caller, ids)
    valid = sum(verdict.is_valid for verdict in results)
    return BatchVerdict(total=len(results), valid=valid, invalid=len(results) - valid, results=results)


async def _verdicts(session: ReadSession, keys: Keys, caller: Caller, ids: list[UUID]) -> list[RecordVerdict]:
    found = await AuditCrud(session, caller).plain(ids)
    return [_verdict(keys, wanted, found.get(wanted)) for wanted in ids]


def _verdict(keys: Keys, id: UUID, entry: dict[str, Any] | None) -> RecordVerdict:
    if entry is None:
        return RecordVerdict(id=id, is_valid=False, message=_NO_RECORD)
    valid = keys.is_authentic(entry)
    message = "The record is as it was written" if valid else "The record was changed after it was written"
    return RecordVerdict(id=id, is_valid=valid, position=entry["position"], message=message)


async def find_tampered(database: Database, caller: Caller, query: TamperedQuery) -> Tampered:
    """Return the tenant's entries that are not as they were written."""
    seen, ids = await find_tampered_entries(database, caller.tenant_id, query.start_date, query.end_date, query.limit)
    return Tampered(total_checked=seen, tampered_count=len(ids), tampered_ids=ids)
