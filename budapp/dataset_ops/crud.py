from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, and_, bindparam, func, select
from sqlalchemy.dialects.postgresql import distinct_on

from budapp.commons.access import Caller
from budapp.commons.crud import Crud, Page, fetch_page, prepared
from budapp.commons.database import ReadSession, WriteSession, not_deleted
from budapp.commons.errors import NotFound
from budapp.commons.isolation import is_due
from budapp.commons.leases import is_free, take
from budapp.commons.paging import equal, matching
from budapp.dataset_ops.models import (
    BenchmarkDataset,
    Dataset,
    DatasetFile,
    DatasetStatus,
    DatasetVersion,
    FileCheck,
    FilePreview,
    FileStatus,
)
from budapp.dataset_ops.schemas import BenchmarkDatasetQuery, DatasetQuery
from budapp.project_ops.services import projects_in_reach

SORTABLE = {name: getattr(Dataset, name) for name in ("id", "name", "created_at", "modified_at")}
BENCHMARK_SORTABLE = {
    name: getattr(BenchmarkDataset, name) for name in ("id", "name", "num_samples", "created_at", "modified_at")
}


class DatasetCrud(Crud[Dataset]):
    """The datasets of the projects in the caller's reach."""

    model = Dataset

    def reach(self) -> list[Any]:
        """Add the reach of the projects."""
        return [*super().reach(), Dataset.project_id.in_(projects_in_reach(self.session, self.caller))]

    async def page_of_datasets(self, query: DatasetQuery) -> Page:
        """Return a page of `DatasetSummary` columns."""
        return await self.page(query, self._listed(query), SORTABLE)

    @prepared
    def _listed(self, query: DatasetQuery) -> Select[Any]:
        filters = (*equal(query, project_id=Dataset.project_id), *matching(query, name=Dataset.name))
        return self.visible(*_summary_columns()).where(*filters)

    @prepared
    def _summary(self) -> Select[Any]:
        return self.visible(*_summary_columns()).where(Dataset.id == bindparam("id"))

    async def summary(self, dataset_id: UUID) -> Row[Any]:
        """Return the columns of a `DatasetSummary`, or raise `NotFound`."""
        found = await self._summary().first(self.session, id=dataset_id)
        if found is None:
            raise NotFound("Dataset not found")
        return found

    async def versions_with_files(self, dataset_id: UUID) -> Sequence[Row[Any, Any]]:
        """Return each version with each of its files, or None, the newest version first."""
        statement = (
            select(DatasetVersion, DatasetFile)
            .outerjoin(DatasetFile, DatasetFile.version_id == DatasetVersion.id)
            .where(DatasetVersion.dataset_id == dataset_id, DatasetVersion.tenant_id == self.caller.tenant_id)
            .order_by(DatasetVersion.number.desc(), DatasetFile.split, DatasetFile.created_at)
        )
        return (await self.session.execute(statement)).all()

    async def next_number(self, dataset_id: UUID) -> int:
        """Return the number of the dataset's next version; lock the dataset before."""
        found = await self.session.scalar(
            select(func.max(DatasetVersion.number)).where(DatasetVersion.dataset_id == dataset_id)
        )
        return (found or 0) + 1

    async def version(self, dataset_id: UUID, number: int) -> DatasetVersion:
        """Return the version of a dataset in reach, or raise `NotFound`."""
        statement = self.visible(DatasetVersion).join(DatasetVersion, DatasetVersion.dataset_id == Dataset.id)
        found: DatasetVersion | None = await self.session.scalar(
            statement.where(Dataset.id == dataset_id, DatasetVersion.number == number)
        )
        if found is None:
            raise NotFound("Version not found")
        return found


class FileCrud:
    """The files of one version that has been found in reach."""

    def __init__(self, session: ReadSession, caller: Caller, version_id: UUID) -> None:
        self._session = session
        self._here = (DatasetFile.version_id == version_id, DatasetFile.tenant_id == caller.tenant_id)

    async def get(self, file_id: UUID, *, for_update: bool = False) -> DatasetFile:
        """Return the file, locked where asked, or raise `NotFound`."""
        statement = select(DatasetFile).where(*self._here, DatasetFile.id == file_id)
        if for_update:
            statement = statement.with_for_update().execution_options(populate_existing=True)
        return _found(await self._session.scalar(statement))

    async def preview(self, file_id: UUID) -> bytes | None:
        """Return what is shown of the file, or None."""
        rows: bytes | None = await self._session.scalar(
            select(FilePreview.rows).join(DatasetFile).where(*self._here, DatasetFile.id == file_id)
        )
        return rows

    async def of_split(self, split: str) -> DatasetFile:
        """Return the split's file, unless it was refused, or raise `NotFound`."""
        kept = DatasetFile.status != FileStatus.REFUSED
        return _found(
            await self._session.scalar(select(DatasetFile).where(*self._here, DatasetFile.split == split, kept))
        )


async def page_of_benchmark_datasets(session: ReadSession, query: BenchmarkDatasetQuery) -> Page:
    """Return a page of the public datasets."""
    filters = (BenchmarkDataset.status == "active", *matching(query, name=BenchmarkDataset.name))
    statement = select(*BenchmarkDataset.__table__.columns).where(*filters)
    return await fetch_page(session, query, statement, BENCHMARK_SORTABLE, "name")


async def take_check(
    session: WriteSession, but: Collection[UUID], length: timedelta
) -> tuple[FileCheck, DatasetFile] | None:
    """Take the check of a file that is due, `but` for some tenants'; whose it is, is drawn by lot among the others.

    Of a tenant's files, those come first that somebody waits for: others were ready before previews were kept.
    """
    due = (FileCheck.due_at <= func.now(), is_free(FileCheck), FileCheck.tenant_id.not_in(but))
    first = (FileCheck.tenant_id, DatasetFile.status != FileStatus.CHECKING, FileCheck.due_at)
    heads = select(FileCheck.id).ext(distinct_on(FileCheck.tenant_id)).join(DatasetFile).where(*due).order_by(*first)
    head = heads.subquery()
    drawn = select(FileCheck.id).join(head, head.c.id == FileCheck.id).order_by(func.random()).limit(1)
    taken = await take(session, FileCheck, drawn, length, attempts=FileCheck.attempts + 1)
    return (taken[0], await session.get_one(DatasetFile, taken[0].file_id)) if taken else None


async def lock_file(session: ReadSession, file_id: UUID, *conditions: ColumnElement[bool]) -> DatasetFile | None:
    """Return the file, locked, if the conditions still hold."""
    statement = select(DatasetFile).where(DatasetFile.id == file_id, *conditions)
    file: DatasetFile | None = await session.scalar(statement.with_for_update())
    return file


async def refused_files(session: ReadSession, job: str, limit: int) -> Sequence[DatasetFile]:
    """Return refused files whose content still has to go, and that the job may try now."""
    refused = (DatasetFile.status == FileStatus.REFUSED, DatasetFile.stored, is_due(job, DatasetFile.id))
    return (await session.scalars(select(DatasetFile).where(*refused).limit(limit))).all()


async def stale_uploads(session: ReadSession, job: str, moment: datetime, limit: int) -> Sequence[DatasetFile]:
    """Return uploads that had to be completed by now, and that the job may try now."""
    expired = DatasetFile.upload_expires_at < moment
    late = (DatasetFile.status == FileStatus.UPLOADING, expired, is_due(job, DatasetFile.id))
    return (await session.scalars(select(DatasetFile).where(*late).limit(limit))).all()


async def deleted_datasets(session: ReadSession, job: str, limit: int) -> Sequence[Dataset]:
    """Return datasets whose files still have to go, and that the job may try now."""
    deleted = (Dataset.status == DatasetStatus.DELETED, is_due(job, Dataset.id))
    return (await session.scalars(select(Dataset).where(*deleted).limit(limit))).all()


async def files_of(session: ReadSession, dataset_id: UUID) -> Sequence[DatasetFile]:
    """Return every file of the dataset, whatever its status."""
    of_dataset = DatasetFile.version_id.in_(select(DatasetVersion.id).where(DatasetVersion.dataset_id == dataset_id))
    return (await session.scalars(select(DatasetFile).where(of_dataset))).all()


async def datasets_of_project(session: ReadSession, project_id: UUID) -> Sequence[Dataset]:
    """Return the project's datasets, locked."""
    mine = (Dataset.project_id == project_id, not_deleted(Dataset))
    return (await session.scalars(select(Dataset).where(*mine).with_for_update())).all()


def count_in_project(project_id: Any) -> Any:
    """Return the expression that counts a project's datasets."""
    mine = (Dataset.project_id == project_id, not_deleted(Dataset))
    return select(func.count()).select_from(Dataset).where(*mine).scalar_subquery()


async def benchmark_dataset(session: ReadSession, name: str) -> BenchmarkDataset | None:
    """Return the public dataset of the name."""
    found: BenchmarkDataset | None = await session.scalar(select(BenchmarkDataset).where(BenchmarkDataset.name == name))
    return found


def _summary_columns() -> list[Any]:
    ready = and_(DatasetVersion.dataset_id == Dataset.id, DatasetFile.status == FileStatus.READY)
    of_files = select(func.coalesce(func.sum(DatasetFile.size), 0)).join_from(
        DatasetVersion, DatasetFile, DatasetFile.version_id == DatasetVersion.id
    )
    newest = select(func.max(DatasetVersion.number)).join_from(
        DatasetVersion, DatasetFile, DatasetFile.version_id == DatasetVersion.id
    )
    names = ("id", "project_id", "name", "description", "created_by", "created_at", "modified_at")
    return [
        *(getattr(Dataset, name) for name in names),
        newest.where(ready).correlate(Dataset).scalar_subquery().label("latest_version"),
        of_files.where(ready).correlate(Dataset).scalar_subquery().label("size"),
    ]


def _found(file: DatasetFile | None) -> DatasetFile:
    if file is None:
        raise NotFound("File not found")
    return file
