"""Has files read that have come in, each by itself: what one does to its reader or to us is no other's concern."""

import asyncio
from collections import Counter
from datetime import timedelta
from uuid import UUID

from prometheus_client import Counter as Metric
from pydantic_core import to_json

from budapp.commons.background import BackgroundTasks
from budapp.commons.backoff import pause_after
from budapp.commons.context import Provenance, coming_from
from budapp.commons.database import Database, WriteSession
from budapp.commons.errors import Unavailable
from budapp.commons.leases import from_now, lease_of, renewed
from budapp.commons.logging import get_logger
from budapp.commons.outages import STORAGE, log_failure, outages
from budapp.dataset_ops import crud
from budapp.dataset_ops.models import DatasetFile, FileCheck, FilePreview, FileStatus
from budapp.dataset_ops.outcomes import UNREAD, Outcome, Postponement, Refusal, outcome_of
from budapp.dataset_ops.reading.protocol import Findings, Format, Task
from budapp.dataset_ops.reading.readers import Readers
from budapp.dataset_ops.sweeping import Sweeping
from budapp.events.notify import notify_users
from budapp.integrations.storage import MAX_URL_LIFETIME, Storage

logger = get_logger(__name__)

MAX_TRIES = 5
CHECKS = Metric("budapp_dataset_file_checks", "Times that a dataset's file was read", ["outcome"])

_LEASE = timedelta(minutes=1)
_LOOKS_EVERY = 2
_STORE_PAUSE = timedelta(seconds=10)
_CPU_SECONDS = 30
_BYTES_PER_CPU_SECOND = 512 * 1024


class Checking:
    """The background tasks that have files read, as many at once as there are readers, in every replica.

    Nobody waits for somebody else's files: a tenant has half of the readers at most, and whose file is next is drawn
    by lot among the tenants. What a process leaves undone, another one takes up.
    """

    def __init__(
        self, database: Database, storage: Storage, bucket: str, readers: Readers, memory_bytes: int, sweeping: Sweeping
    ) -> None:
        self._database = database
        self._storage = storage
        self._bucket = bucket
        self._readers = readers
        self._memory_bytes = memory_bytes
        self._sweeping = sweeping
        self._taking = asyncio.Lock()
        self._at_work: Counter[UUID] = Counter()
        self._tasks = BackgroundTasks()

    async def start(self) -> None:
        """Begin to check files, in the background."""
        numbers = range(1, self._readers.count + 1)
        self._tasks.run(**{f"dataset_files_{number}": self._keep_checking for number in numbers})

    async def stop(self) -> None:
        """Cut off what runs; another replica takes it up at once."""
        await self._tasks.stop()

    async def check(self) -> None:
        """Check every file that waits for it now, one after the other."""
        while await self._check_next():
            pass

    async def _keep_checking(self) -> None:
        while True:
            await self.check()
            await asyncio.sleep(_LOOKS_EVERY)

    async def _check_next(self) -> bool:
        """Check a file; False where none waits."""
        taken = await self._take()
        if taken is None:
            return False
        try:
            with coming_from(Provenance("job", "check_dataset_files")):
                await self._check(*taken)
        finally:
            self._at_work -= Counter([taken[0].tenant_id])
        return True

    async def _take(self) -> tuple[FileCheck, DatasetFile] | None:
        """Take a file; one that is cut off while it takes gives back what it has got."""
        taking = asyncio.create_task(self._take_next())
        try:
            return await asyncio.shield(taking)
        except asyncio.CancelledError:
            taken = await taking
            if taken is not None:
                self._at_work -= Counter([taken[0].tenant_id])
                await self._put_off(taken[0], timedelta(0), counts=False)
            raise

    async def _take_next(self) -> tuple[FileCheck, DatasetFile] | None:
        share = max(1, self._readers.count // 2)
        async with self._taking:
            busy = [tenant_id for tenant_id, count in self._at_work.items() if count >= share]
            async with self._database.write() as session:
                taken = await crud.take_check(session, busy, _LEASE)
            if taken is not None:
                self._at_work[taken[0].tenant_id] += 1
        return taken

    async def _check(self, check: FileCheck, file: DatasetFile) -> None:
        """Read the file, and settle what becomes of it. Whatever happens is this file's and no other's."""
        try:
            async with renewed(self._database, lease_of(check), _LEASE):
                await self._settle(check, await self._read(check, file))
        except asyncio.CancelledError:
            await self._put_off(check, timedelta(0), counts=False)
            raise
        except Exception as error:  # noqa: BLE001 - a boundary: it is this file's, and tried again
            CHECKS.labels("failed").inc()
            log_failure(logger, "dataset_file_not_checked", error, file_id=str(check.file_id))
            await self._settle(check, UNREAD)

    async def _read(self, check: FileCheck, file: DatasetFile) -> Outcome:
        if check.attempts > MAX_TRIES:  # whoever read it did not live to tell
            return Refusal(UNREAD.reason)
        task = await self._task(file)
        report = await self._readers.read(task)
        CHECKS.labels(report.outcome).inc()
        if report.outcome == "store_failed":
            outages.failed(STORAGE, report.text)
        elif report.outcome in {"failed", "died"}:
            details = {"outcome": report.outcome, "signal": report.signal, "reason": report.text}
            logger.warning("dataset_file_not_read", file_id=str(file.id), **details)
        return outcome_of(file, task, report)

    async def _task(self, file: DatasetFile) -> Task:
        cpu_seconds = _CPU_SECONDS + file.size // _BYTES_PER_CPU_SECOND
        lifetime = min(timedelta(seconds=3 * cpu_seconds), MAX_URL_LIFETIME)
        url = await self._storage.internal_url(self._bucket, file.object_name, lifetime)
        return Task(url, file.size, Format(file.format), 2 * cpu_seconds, cpu_seconds, self._memory_bytes)

    async def _settle(self, check: FileCheck, outcome: Outcome) -> None:
        if isinstance(outcome, Postponement):
            await self._postpone(check, outcome)
        else:
            await self._conclude(check, outcome)

    async def _postpone(self, check: FileCheck, why: Postponement) -> None:
        """Have the file tried again later, unless it has had its tries."""
        if why.counts and check.attempts >= MAX_TRIES:
            CHECKS.labels("given_up").inc()
            await self._conclude(check, Refusal(why.reason))
        else:
            pause = pause_after(check.attempts) if why.counts else _STORE_PAUSE
            await self._put_off(check, pause, counts=why.counts)

    async def _put_off(self, check: FileCheck, pause: timedelta, *, counts: bool) -> None:
        attempts = check.attempts if counts else check.attempts - 1
        async with self._database.write() as session:
            await lease_of(check).settle(session, attempts=attempts, due_at=from_now(pause))

    async def _conclude(self, check: FileCheck, outcome: Findings | Refusal) -> None:
        async with self._database.write() as session:
            file = await crud.lock_file(session, check.file_id)
            if file is None or not await lease_of(check).delete(session):
                return
            was_waiting = file.status == FileStatus.CHECKING
            if isinstance(outcome, Refusal):
                _refuse(file, outcome.reason)
            else:
                _accept(session, file, outcome)
            if was_waiting:
                await _tell(session, file)
        if file.status == FileStatus.REFUSED:
            await self._clear(file)

    async def _clear(self, file: DatasetFile) -> None:
        """Remove what was refused; where that fails, the next sweep does."""
        try:
            await self._sweeping.remove_refused(file)
        except Unavailable as error:
            log_failure(logger, "refused_file_not_removed", error, file_id=str(file.id))


def _accept(session: WriteSession, file: DatasetFile, findings: Findings) -> None:
    file.status, file.checksum, file.row_count = FileStatus.READY, findings.checksum, findings.row_count
    file.columns = [{"name": column.name, "type": column.type} for column in findings.columns]
    session.add(FilePreview(file_id=file.id, rows=to_json(findings.rows)))


def _refuse(file: DatasetFile, reason: str) -> None:
    """Refuse the file; one that was ready before previews were kept stays so, and only can't be shown."""
    file.reason = reason
    if file.status == FileStatus.CHECKING:
        file.status = FileStatus.REFUSED


async def _tell(session: WriteSession, file: DatasetFile) -> None:
    ready = file.status == FileStatus.READY
    await notify_users(
        session,
        aggregate=f"dataset_file:{file.id}",
        subscriber_ids=[file.created_by],
        type="dataset_file_ready" if ready else "dataset_file_refused",
        title=file.file_name,
        message="The file is ready" if ready else file.reason or "The file was refused",
        status="COMPLETED" if ready else "FAILED",
    )
