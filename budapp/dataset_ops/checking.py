"""Reads files that have come in, and sweeps away what nobody needs; runs as periodic jobs."""

import asyncio
from functools import partial
from typing import Any

from budapp.commons.database import Database, WriteSession, now
from budapp.commons.errors import NotFound, Unavailable
from budapp.commons.logging import get_logger
from budapp.dataset_ops import crud, formats
from budapp.dataset_ops.formats import Details, Format, Source, UnreadableFile
from budapp.dataset_ops.models import DatasetFile, FileStatus
from budapp.events.notify import notify_users
from budapp.integrations.storage import Storage

logger = get_logger(__name__)

_IN_ONE_RUN = 100
_AT_ONCE = 4


class Checking:
    """The jobs that look after the datasets' files."""

    def __init__(self, database: Database, storage: Storage, bucket: str) -> None:
        self._database = database
        self._storage = storage
        self._bucket = bucket
        self._reading = asyncio.Semaphore(_AT_ONCE)

    async def check(self) -> None:
        """Read every file that waits for it, and have it `ready` or `refused`."""
        async with self._database.read() as session:
            files = await crud.files_to_check(session, _IN_ONE_RUN)
        async with asyncio.TaskGroup() as group:
            for file in files:
                group.create_task(self._check(file))

    async def _check(self, file: DatasetFile) -> None:
        source = source_of(self._storage, self._bucket, file)
        details, reason = None, None
        try:
            async with self._reading:
                details = await asyncio.to_thread(formats.examine, source, Format(file.format))
        except Unavailable as error:
            logger.warning("dataset_file_not_checked", file_id=str(file.id), reason=repr(error))
            return
        except UnreadableFile as error:
            reason = str(error)
        except NotFound:
            reason = "The content is gone; upload it anew"
        if details is not None and file.checksum not in {None, details.checksum}:
            reason = f"The content's checksum is {details.checksum}, another one than announced"
        async with self._database.write() as session:
            await self._settle(session, file, details, reason)

    async def _settle(
        self, session: WriteSession, file: DatasetFile, details: Details | None, reason: str | None
    ) -> None:
        locked = await crud.lock_file(session, file.id, FileStatus.CHECKING)
        if locked is None:
            return
        if details is None or reason is not None:
            locked.status, locked.reason = FileStatus.REFUSED, reason
            await self._storage.delete(self._bucket, locked.object_name)
        else:
            locked.status, locked.checksum, locked.row_count = FileStatus.READY, details.checksum, details.row_count
            locked.columns = [{"name": column.name, "type": column.type} for column in details.columns]
        await _tell(session, locked)

    async def sweep(self) -> None:
        """Remove uploads that were never completed, and the files of deleted datasets, from the store and from here."""
        async with self._database.read() as session:
            uploads = await crud.stale_uploads(session, now(), 1000)
            datasets = await crud.deleted_datasets(session, 1000)
        for upload in uploads:
            await self._remove_upload(upload)
        for dataset in datasets:
            async with self._database.write() as session:
                for file in await crud.files_of(session, dataset.id):
                    await self._remove_content(file)
                await session.delete(dataset)

    async def _remove_upload(self, upload: DatasetFile) -> None:
        async with self._database.write() as session:
            locked = await crud.lock_file(session, upload.id, FileStatus.UPLOADING)
            if locked is not None:
                await self._remove_content(locked)
                await session.delete(locked)

    async def _remove_content(self, file: DatasetFile) -> None:
        if file.upload_id is not None:
            await self._storage.abort_upload(self._bucket, file.object_name, file.upload_id)
        await self._storage.delete(self._bucket, file.object_name)


async def read_preview(storage: Storage, bucket: str, file: DatasetFile, rows: int) -> list[dict[str, Any]]:
    """Return the first rows of a file that is ready.

    Raises:
        Unavailable: the store does not give it out as it was checked.
    """
    try:
        return await asyncio.to_thread(formats.preview, source_of(storage, bucket, file), Format(file.format), rows)
    except (UnreadableFile, NotFound) as error:
        logger.exception("dataset_file_unreadable", file_id=str(file.id))
        raise Unavailable("The file can't be read at the moment; try again later") from error


def source_of(storage: Storage, bucket: str, file: DatasetFile) -> Source:
    """Return how to read the file."""
    return Source(file.size, partial(storage.open, bucket, file.object_name))


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
