"""Clears the object store of what nobody needs: uploads never completed, deleted datasets, refused files."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from budapp.commons.database import Base, Database, now
from budapp.commons.errors import Unavailable
from budapp.commons.isolation import each_isolated
from budapp.dataset_ops import crud
from budapp.dataset_ops.models import Dataset, DatasetFile, FileStatus
from budapp.integrations.storage import Storage

_IN_ONE_RUN = 1000
_JOB = "sweep_dataset_files"

Row = TypeVar("Row", bound=Base)


class Sweeping:
    """The job that removes."""

    def __init__(self, database: Database, storage: Storage, bucket: str) -> None:
        self._database = database
        self._storage = storage
        self._bucket = bucket

    async def sweep(self) -> None:
        """Remove what is due, from the store first, and then from here.

        Raises:
            ExceptionGroup: the store does not answer; the next run goes on.
        """
        async with self._database.read() as session:
            uploads = await crud.stale_uploads(session, _JOB, now(), _IN_ONE_RUN)
            refused = await crud.refused_files(session, _JOB, _IN_ONE_RUN)
            datasets = await crud.deleted_datasets(session, _JOB, _IN_ONE_RUN)
        await self._each(uploads, self._remove_upload)
        await self._each(refused, self.remove_refused)
        await self._each(datasets, self._remove_dataset)

    async def _each(self, rows: Sequence[Row], remove: Callable[[Row], Awaitable[None]]) -> None:
        await each_isolated(self._database, _JOB, rows, remove, key=lambda row: row.id, passing=(Unavailable,))

    async def remove_refused(self, file: DatasetFile) -> None:
        """Remove the content of a file that is refused, if that is still to be done; the row stays, with its reason.

        Raises:
            Unavailable: the store does not answer.
        """
        async with self._database.write() as session:
            locked = await crud.lock_file(
                session, file.id, DatasetFile.status == FileStatus.REFUSED, DatasetFile.stored.is_(True)
            )
            if locked is not None:
                await self._remove_content(locked)
                locked.stored = False

    async def _remove_upload(self, upload: DatasetFile) -> None:
        async with self._database.write() as session:
            locked = await crud.lock_file(session, upload.id, DatasetFile.status == FileStatus.UPLOADING)
            if locked is not None:
                await self._remove_content(locked)
                await session.delete(locked)

    async def _remove_dataset(self, dataset: Dataset) -> None:
        async with self._database.write() as session:
            for file in await crud.files_of(session, dataset.id):
                await self._remove_content(file)
            await session.delete(dataset)

    async def _remove_content(self, file: DatasetFile) -> None:
        if file.upload_id is not None:
            await self._storage.abort_upload(self._bucket, file.object_name, file.upload_id)
        await self._storage.delete(self._bucket, file.object_name)
