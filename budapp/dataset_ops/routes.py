from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, File, Path, Query, UploadFile

from budapp.commons.access import Caller, Requires, SignedIn, service_accounts_may
from budapp.commons.database import Read, Write
from budapp.commons.deadlines import UPLOAD_SECONDS, may_take
from budapp.commons.idempotency import IdempotentRoute
from budapp.commons.scopes import Scope
from budapp.dataset_ops import services
from budapp.dataset_ops.files import FilesDep
from budapp.dataset_ops.schemas import (
    BenchmarkDatasetList,
    BenchmarkDatasetQuery,
    DatasetCreate,
    DatasetDeleted,
    DatasetList,
    DatasetQuery,
    DatasetRetrieved,
    DatasetSaved,
    DatasetUpdate,
    Download,
    FileAccepted,
    Preview,
    Split,
    UploadAborted,
    UploadComplete,
    UploadCreate,
    UploadCreated,
    VersionCreated,
)

router = APIRouter(tags=["datasets"], route_class=IdempotentRoute, dependencies=[service_accounts_may])

Viewer = Annotated[Caller, Depends(Requires(Scope.PROJECT_VIEW))]
Reader = Annotated[Caller, Depends(Requires(Scope.PROJECT_VIEW, row=services.get_dataset))]
Adder = Annotated[Caller, Depends(services.ADDING)]
Changer = Annotated[Caller, Depends(services.CHANGING)]
Number = Annotated[int, Path(ge=1, le=1_000_000, description="The version's number")]

VERSION = "/datasets/{dataset_id}/versions/{number}"


@router.get("/dataset")
async def list_benchmark_datasets(
    _caller: SignedIn, session: Read, query: Annotated[BenchmarkDatasetQuery, Query()]
) -> BenchmarkDatasetList:
    """List the public benchmark datasets."""
    return BenchmarkDatasetList.of(await services.list_benchmark_datasets(session, query))


@router.get("/datasets")
async def list_datasets(caller: Viewer, session: Read, query: Annotated[DatasetQuery, Query()]) -> DatasetList:
    """List the datasets of the projects that the caller may see, newest first."""
    return DatasetList.of(await services.list_datasets(session, caller, query))


@router.post("/datasets")
async def create_dataset(data: DatasetCreate, caller: Adder, session: Write) -> DatasetSaved:
    """Create an empty dataset; this and every change requires endpoint:manage, in the tenant or in the project."""
    return DatasetSaved.created(await services.create_dataset(session, caller, data))


@router.get("/datasets/{dataset_id}")
async def get_dataset(dataset_id: UUID, caller: Reader, session: Read) -> DatasetRetrieved:
    """Return a dataset with its versions and their files."""
    return DatasetRetrieved(dataset=await services.get_dataset(session, caller, dataset_id))


@router.patch("/datasets/{dataset_id}")
async def update_dataset(dataset_id: UUID, data: DatasetUpdate, caller: Changer, session: Write) -> DatasetSaved:
    """Update the name or the description."""
    return DatasetSaved.updated(await services.update_dataset(session, caller, dataset_id, data))


@router.delete("/datasets/{dataset_id}")
async def delete_dataset(dataset_id: UUID, caller: Changer, session: Write) -> DatasetDeleted:
    """Delete a dataset with all its versions; the files are deleted soon after."""
    await services.delete_dataset(session, caller, dataset_id)
    return DatasetDeleted()


@router.post("/datasets/{dataset_id}/versions")
async def create_version(dataset_id: UUID, caller: Changer, session: Write) -> VersionCreated:
    """Create the next version; files of a version never change."""
    return VersionCreated(version=await services.create_version(session, caller, dataset_id))


@router.post(VERSION + "/uploads")
async def begin_upload(
    dataset_id: UUID, number: Number, data: UploadCreate, caller: Changer, session: Write, files: FilesDep
) -> UploadCreated:
    """Start the upload of a file of any size, in parts sent directly to the object store."""
    return await files.begin_upload(session, caller, dataset_id, number, data)


@router.post(VERSION + "/uploads/{file_id}/complete", dependencies=[may_take(UPLOAD_SECONDS)])
async def complete_upload(
    dataset_id: UUID,
    number: Number,
    file_id: UUID,
    data: UploadComplete,
    caller: Changer,
    session: Write,
    files: FilesDep,
) -> FileAccepted:
    """Complete an upload; the file is then checked, and ends as ready or refused."""
    return FileAccepted.of(await files.complete_upload(session, caller, dataset_id, number, file_id, data))


@router.delete(VERSION + "/uploads/{file_id}")
async def abort_upload(
    dataset_id: UUID, number: Number, file_id: UUID, caller: Changer, session: Write, files: FilesDep
) -> UploadAborted:
    """Abort an upload that is not complete."""
    await files.abort_upload(session, caller, dataset_id, number, file_id)
    return UploadAborted()


@router.put(VERSION + "/files/{split}", dependencies=[may_take(UPLOAD_SECONDS)])
async def put_file(
    dataset_id: UUID,
    number: Number,
    split: Split,
    file: Annotated[UploadFile, File(description="CSV, JSON lines or Parquet")],
    caller: Changer,
    session: Write,
    files: FilesDep,
) -> FileAccepted:
    """Upload a small file; larger ones are uploaded in parts."""
    return FileAccepted.of(await files.put(session, caller, dataset_id, number, split, file))


@router.get(VERSION + "/files/{split}/download")
async def download_file(
    dataset_id: UUID, number: Number, split: Split, caller: Reader, session: Read, files: FilesDep
) -> Download:
    """Return a temporary download URL for a file."""
    return await files.download(session, caller, dataset_id, number, split)


@router.get(VERSION + "/files/{split}/preview")
async def preview_file(
    dataset_id: UUID,
    number: Number,
    split: Split,
    caller: Reader,
    session: Read,
    files: FilesDep,
    rows: Annotated[int, Query(ge=1, le=100)] = 20,
) -> Preview:
    """Return the first rows of a file."""
    return await files.preview(session, caller, dataset_id, number, split, rows)
