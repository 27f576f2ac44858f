from typing import Annotated
from uuid import UUID

from anyio import CancelScope
from fastapi import APIRouter, Body, Depends, Query
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Send
from starlette.types import Scope as AsgiScope

from budapp.audit_ops import delivery, retention, services
from budapp.audit_ops.delivery import DeliveringDep
from budapp.audit_ops.export import Export
from budapp.audit_ops.schemas import (
    AuditPeriod,
    AuditQuery,
    AuditRecord,
    AuditRecordAnswer,
    AuditRecordList,
    AuditSummaryAnswer,
    BatchVerified,
    DeliveryAnswer,
    DeliveryUpdate,
    DeliveryView,
    ExportQuery,
    RecordVerified,
    RetentionAnswer,
    RetentionUpdate,
    TamperedFound,
    TamperedQuery,
)
from budapp.commons.access import Caller, Requires, SignedIn, SignedInAccess
from budapp.commons.database import Database, Read, Write
from budapp.commons.domain import provided
from budapp.commons.openapi import download
from budapp.commons.schemas import Answer
from budapp.commons.scopes import Scope

router = APIRouter(prefix="/audit", tags=["audit"])

Auditor = Annotated[Caller, Depends(Requires(Scope.USER_MANAGE))]
AuditorOf = Annotated[Caller, Depends(Requires(Scope.USER_MANAGE, row=services.get_record))]
Reader = Annotated[Caller, Depends(SignedInAccess(row=services.get_record))]


DatabaseDep = Annotated[Database, provided(Database)]
"""For what outlives a session."""


@router.get("/records", response_model=AuditRecordList, responses=download("text/csv"))
async def list_records(
    caller: SignedIn, session: Read, database: DatabaseDep, query: Annotated[AuditQuery, Query()]
) -> AuditRecordList | StreamingResponse:
    """List audit records, newest first: with user:manage the whole tenant's, otherwise those by or about the caller."""
    if query.export_csv:
        return await _stream(Export(database, caller, query, "csv"))
    return AuditRecordList.of(await services.list_records(session, caller, query))


@router.get("/export", response_class=StreamingResponse, responses=download("text/csv", "application/x-ndjson"))
async def export_records(
    caller: Auditor, database: DatabaseDep, query: Annotated[ExportQuery, Query()]
) -> StreamingResponse:
    """Export audit records as a signed file, oldest first; `budapp audit verify-export` verifies it."""
    return await _stream(Export(database, caller, query, query.format))


async def _stream(export: Export) -> StreamingResponse:
    await export.begin()
    return ExportResponse(export)


class ExportResponse(StreamingResponse):
    """Sends the export, and has it on the trail how far that came, also where the client goes away."""

    def __init__(self, export: Export) -> None:
        headers = {"Content-Disposition": f'attachment; filename="{export.file_name}"'}
        super().__init__(export.lines(), media_type=export.media_type, headers=headers)
        self._export = export

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            with CancelScope(shield=True):
                await self._export.end()


@router.get("/records/{audit_id}")
async def get_record(audit_id: UUID, caller: Reader, session: Read) -> AuditRecordAnswer:
    """Return an audit record."""
    return AuditRecordAnswer(data=AuditRecord.model_validate(await services.get_record(session, caller, audit_id)))


@router.get("/records/{audit_id}/verify")
async def verify_record(audit_id: UUID, caller: AuditorOf, session: Read, database: DatabaseDep) -> RecordVerified:
    """Verify that an audit record is unchanged."""
    verdict = await services.verify_record(session, database.audit_keys, caller, audit_id)
    return RecordVerified(message=verdict.message, data=verdict)


@router.get("/summary")
async def summarize(caller: SignedIn, session: Read, period: Annotated[AuditPeriod, Query()]) -> AuditSummaryAnswer:
    """Summarize the audit records that the caller may see."""
    return AuditSummaryAnswer(data=await services.summarize(session, caller, period))


@router.post("/verify-batch")
async def verify_batch(
    ids: Annotated[list[UUID], Body(min_length=1, max_length=1000)],
    caller: Auditor,
    session: Read,
    database: DatabaseDep,
) -> BatchVerified:
    """Verify that each of the audit records is unchanged."""
    return BatchVerified(data=await services.verify_batch(session, database.audit_keys, caller, ids))


@router.get("/find-tampered")
async def find_tampered(
    caller: Auditor, database: DatabaseDep, query: Annotated[TamperedQuery, Query()]
) -> TamperedFound:
    """Find audit records that were changed; `budapp audit verify` also finds removed and inserted ones."""
    return TamperedFound(data=await services.find_tampered(database, caller, query))


@router.get("/retention")
async def get_retention(caller: Auditor, session: Read) -> RetentionAnswer:
    """Return for how many days audit records are kept."""
    return RetentionAnswer(days=await retention.get_days(session, caller))


@router.put("/retention")
async def set_retention(data: RetentionUpdate, caller: Auditor, session: Write) -> RetentionAnswer:
    """Set for how many days audit records are kept."""
    await retention.set_days(session, caller, data.days)
    return RetentionAnswer(days=data.days)


@router.get("/delivery")
async def get_delivery(caller: Auditor, session: Read) -> DeliveryAnswer:
    """Return where audit records are delivered, and the progress."""
    return DeliveryAnswer(delivery=DeliveryView.model_validate(await delivery.get_delivery(session, caller)))


@router.put("/delivery")
async def set_delivery(
    data: DeliveryUpdate, caller: Auditor, session: Write, delivering: DeliveringDep
) -> DeliveryAnswer:
    """Deliver audit records to a webhook or the platform's bucket; a generated secret is shown only once, here."""
    found, secret = await delivering.configure(session, caller, data)
    return DeliveryAnswer(delivery=DeliveryView.model_validate(found), secret=secret)


@router.delete("/delivery")
async def remove_delivery(caller: Auditor, session: Write) -> Answer:
    """Turn off the delivery of audit records."""
    await delivery.remove_delivery(session, caller)
    return Answer(object="audit.delivery.delete", message="Audit delivery turned off")
