"""The files of datasets: how they come in and go out. Large ones go straight to the object store, in parts.

A file is `uploading` until its parts are there, then `checking` until a job has read it (`checking.py`). Nothing of it
lives in the process, so it survives a restart at any point; what is never completed is swept away.
"""

from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from math import ceil
from typing import Annotated
from uuid import UUID

from fastapi import UploadFile
from pydantic import TypeAdapter, ValidationError
from uuid_utils.compat import uuid7

from budapp.commons.access import Caller
from budapp.commons.config import Settings
from budapp.commons.database import ReadSession, WriteSession, after_commit, after_rollback, now, release
from budapp.commons.domain import provided
from budapp.commons.errors import (
    Conflict,
    NotFound,
    PayloadTooLarge,
    Unavailable,
    UnprocessableContent,
    UnsupportedMediaType,
)
from budapp.commons.integrity import conflict_on
from budapp.dataset_ops.crud import DatasetCrud, FileCrud
from budapp.dataset_ops.models import DatasetFile, DatasetVersion, FileCheck, FileStatus
from budapp.dataset_ops.reading.protocol import SUFFIXES, Row, format_of
from budapp.dataset_ops.schemas import (
    MAX_PARTS,
    Download,
    FileView,
    PartView,
    Preview,
    UploadComplete,
    UploadCreate,
    UploadCreated,
)
from budapp.dataset_ops.services import changeable
from budapp.dataset_ops.sweeping import Sweeping
from budapp.integrations.storage import Storage

_ROWS = TypeAdapter(list[Row])
_PART_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Files:
    """The object store as datasets use it."""

    storage: Storage
    sweeping: Sweeping
    bucket: str
    max_bytes: int
    url_lifetime: timedelta
    upload_lifetime: timedelta

    @classmethod
    def of(cls, settings: Settings, storage: Storage, sweeping: Sweeping) -> "Files":
        """Return it after the settings."""
        return cls(
            storage,
            sweeping,
            settings.minio_dataset_bucket,
            settings.dataset_file_max_bytes,
            timedelta(seconds=settings.presigned_url_seconds),
            timedelta(hours=settings.dataset_upload_hours),
        )

    async def begin_upload(
        self, session: WriteSession, caller: Caller, dataset_id: UUID, number: int, data: UploadCreate
    ) -> UploadCreated:
        """Begin to upload a split's file, and return where its parts go.

        Raises:
            NotFound, Forbidden: the dataset or version; see `services.create_dataset`.
            UnsupportedMediaType: the file's name has none of the known endings.
            PayloadTooLarge: the file is larger than allowed.
            Conflict: the version has a file for this split.
        """
        file = self._new_file(caller, data)
        version = await self._changeable_version(session, caller, dataset_id, number)
        await release(session)
        upload_id = await self.storage.begin_upload(self.bucket, file.object_name)

        async def take_back() -> None:
            await self.storage.abort_upload(self.bucket, file.object_name, upload_id)

        after_rollback(session, take_back)
        file.version_id, file.upload_id = version.id, upload_id
        file.upload_expires_at = now() + self.upload_lifetime
        await _add(session, file)
        return await self._upload_created(file, upload_id)

    async def _upload_created(self, file: DatasetFile, upload_id: str) -> UploadCreated:
        part_size = max(_PART_BYTES, ceil(file.size / MAX_PARTS))
        parts = [
            PartView(
                number=number,
                url=await self.storage.presigned_part(
                    self.bucket, file.object_name, upload_id, number, self.upload_lifetime
                ),
            )
            for number in range(1, ceil(file.size / part_size) + 1)
        ]
        lifetime = int(self.upload_lifetime.total_seconds())
        return UploadCreated(file=FileView.model_validate(file), part_size=part_size, parts=parts, expires_in=lifetime)

    async def complete_upload(
        self, session: WriteSession, caller: Caller, dataset_id: UUID, number: int, file_id: UUID, data: UploadComplete
    ) -> DatasetFile:
        """Put the file together and have it checked, or refused if its size is not the announced one.

        Completing it again changes nothing. What is refused goes once that is committed, so that its reason stays.

        Raises:
            NotFound, Forbidden: the dataset, version or upload.
            BadRequest: the parts are not what was uploaded.
        """
        version = await self._changeable_version(session, caller, dataset_id, number)
        file = await FileCrud(session, caller, version.id).get(file_id)
        if file.status != FileStatus.UPLOADING:
            return file
        await release(session)
        has_size = await self._put_together(file, data) == file.size
        file = await FileCrud(session, caller, version.id).get(file_id, for_update=True)
        if file.status == FileStatus.UPLOADING:
            file.upload_id, file.upload_expires_at = None, None
            if has_size:
                file.status = FileStatus.CHECKING
                session.add(_check_of(file))
            else:
                file.status, file.reason = FileStatus.REFUSED, "The parts do not have the announced size together"
                after_commit(session, partial(self._remove_refused, file))
        return file

    async def _remove_refused(self, file: DatasetFile) -> None:
        with suppress(Unavailable):  # then the next sweep removes it
            await self.sweeping.remove_refused(file)

    async def _put_together(self, file: DatasetFile, data: UploadComplete) -> int:
        """Make one object of the parts, and return its size."""
        parts = sorted((part.number, part.etag) for part in data.parts)
        with suppress(NotFound):  # an earlier try may have come this far and no further: then the object is there
            await self.storage.complete_upload(self.bucket, file.object_name, file.upload_id or "", parts)
        return await self.storage.size(self.bucket, file.object_name)

    async def abort_upload(
        self, session: WriteSession, caller: Caller, dataset_id: UUID, number: int, file_id: UUID
    ) -> None:
        """Abort an upload that is not complete.

        Raises:
            NotFound, Forbidden: the dataset, version or upload.
            Conflict: the upload is complete.
        """
        version = await self._changeable_version(session, caller, dataset_id, number)
        file = await FileCrud(session, caller, version.id).get(file_id, for_update=True)
        if file.status != FileStatus.UPLOADING:
            raise Conflict("The upload is already complete")
        await session.delete(file)
        await session.flush()
        await self.storage.abort_upload(self.bucket, file.object_name, file.upload_id or "")

    async def put(
        self, session: WriteSession, caller: Caller, dataset_id: UUID, number: int, split: str, upload: UploadFile
    ) -> DatasetFile:
        """Take a small file through the service and have it checked.

        Raises:
            NotFound, Forbidden, UnsupportedMediaType, Conflict: see `begin_upload`.
            UnprocessableContent: the file's name is not valid, or the file is empty.
        """
        content = await upload.read()
        file = self._new_file(caller, _announced(split, upload.filename, len(content)))
        version = await self._changeable_version(session, caller, dataset_id, number)
        await release(session)
        await self.storage.put(self.bucket, file.object_name, content, "application/octet-stream")

        async def take_back() -> None:
            await self.storage.delete(self.bucket, file.object_name)

        after_rollback(session, take_back)
        file.version_id, file.status = version.id, FileStatus.CHECKING
        await _add(session, file)
        session.add(_check_of(file))
        return file

    async def download(
        self, session: ReadSession, caller: Caller, dataset_id: UUID, number: int, split: str
    ) -> Download:
        """Return a short-lived address from which the file can be read.

        Raises:
            NotFound: no such dataset, version or file in reach.
            Conflict: the file is not ready.
        """
        version = await DatasetCrud(session, caller).version(dataset_id, number)
        file = _ready(await FileCrud(session, caller, version.id).of_split(split))
        url = await self.storage.presigned_get(self.bucket, file.object_name, self.url_lifetime, file.file_name)
        return Download(url=url, expires_in=int(self.url_lifetime.total_seconds()))

    async def preview(
        self, session: ReadSession, caller: Caller, dataset_id: UUID, number: int, split: str, rows: int
    ) -> Preview:
        """Return the file's first rows, as they were seen when it was checked.

        Raises:
            NotFound, Conflict: see `download`; also where the file can be downloaded but not shown.
        """
        version = await DatasetCrud(session, caller).version(dataset_id, number)
        files = FileCrud(session, caller, version.id)
        file = _ready(await files.of_split(split))
        kept = await files.preview(file.id)
        if kept is None:
            raise Conflict(f"The file can't be shown: {file.reason}" if file.reason else "The file can't be shown yet")
        found = _ROWS.validate_json(kept)[:rows]
        cut = dict.fromkeys(name for row in found for name in row.cut)
        return Preview(
            columns=file.columns, rows=[row.cells for row in found], row_count=file.row_count, cut_columns=list(cut)
        )

    def _new_file(self, caller: Caller, data: UploadCreate) -> DatasetFile:
        found = format_of(data.file_name)
        if found is None:
            known = ", ".join(SUFFIXES)
            raise UnsupportedMediaType(f"The file name must end in one of {known}", param="file_name")
        if data.size > self.max_bytes:
            raise PayloadTooLarge(f"A file may have {self.max_bytes} bytes at most", param="size")
        return DatasetFile(
            id=uuid7(),
            tenant_id=caller.tenant_id,
            format=found,
            status=FileStatus.UPLOADING,
            object_name=f"{caller.tenant_id}/{uuid7()}",
            created_by=caller.user_id,
            **data.model_dump(),
        )

    async def _changeable_version(
        self, session: WriteSession, caller: Caller, dataset_id: UUID, number: int
    ) -> DatasetVersion:
        await changeable(session, caller, dataset_id)
        return await DatasetCrud(session, caller).version(dataset_id, number)


def _announced(split: str, file_name: str | None, size: int) -> UploadCreate:
    """Return what an upload in parts would have said of the file; a form carries it beside the content."""
    try:
        return UploadCreate(split=split, file_name=file_name or "", size=size)
    except ValidationError as error:
        detail = error.errors(include_url=False, include_input=False, include_context=False)
        raise UnprocessableContent(detail[0]["msg"], param=str(detail[0]["loc"][0]), errors=detail) from None


def _check_of(file: DatasetFile) -> FileCheck:
    return FileCheck(tenant_id=file.tenant_id, file_id=file.id)


def _ready(file: DatasetFile) -> DatasetFile:
    if file.status != FileStatus.READY:
        raise Conflict("The file is not ready yet; wait until its status is ready")
    return file


async def _add(session: WriteSession, file: DatasetFile) -> None:
    session.add(file)
    taken = Conflict("The version has a file for this split already; make a new version", param="split")
    with conflict_on("uq_dataset_file_version_id_split", taken):
        await session.flush()


FilesDep = Annotated[Files, provided(Files)]
