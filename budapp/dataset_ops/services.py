"""Datasets and their versions; `files.py` has what becomes of the files in them."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from budapp.commons.access import Caller
from budapp.commons.crud import Page
from budapp.commons.database import ReadSession, WriteSession
from budapp.commons.errors import Conflict
from budapp.commons.integrity import conflict_on
from budapp.commons.scopes import Scope
from budapp.dataset_ops import crud
from budapp.dataset_ops.crud import DatasetCrud
from budapp.dataset_ops.models import Dataset, DatasetFile, DatasetStatus, DatasetVersion
from budapp.dataset_ops.schemas import (
    BenchmarkDatasetQuery,
    DatasetCreate,
    DatasetQuery,
    DatasetUpdate,
    DatasetVersionView,
    DatasetView,
    FileView,
    dataset_view,
)
from budapp.project_ops.hooks import Removal
from budapp.project_ops.services import RequiresInProject


async def _project_of(session: ReadSession, caller: Caller, dataset_id: UUID) -> UUID:
    return (await DatasetCrud(session, caller).get(dataset_id)).project_id


ADDING = RequiresInProject(Scope.ENDPOINT_MANAGE)
"""What adding a dataset to a project asks for."""
CHANGING = RequiresInProject(Scope.ENDPOINT_MANAGE, project_of=_project_of)
"""What changing a dataset asks for, in its project."""


async def list_benchmark_datasets(session: ReadSession, query: BenchmarkDatasetQuery) -> Page:
    """Return a page of the public datasets that deployments are measured with."""
    return await crud.page_of_benchmark_datasets(session, query)


async def list_datasets(session: ReadSession, caller: Caller, query: DatasetQuery) -> Page:
    """Return a page of the datasets in reach, the newest first."""
    return await DatasetCrud(session, caller).page_of_datasets(query)


async def get_dataset(session: ReadSession, caller: Caller, dataset_id: UUID) -> DatasetView:
    """Return the dataset with its versions and their files.

    Raises:
        NotFound: no such dataset, or out of reach.
    """
    datasets = DatasetCrud(session, caller)
    dataset = await datasets.summary(dataset_id)
    return dataset_view(dataset, _versions(await datasets.versions_with_files(dataset_id)))


async def create_dataset(session: WriteSession, caller: Caller, data: DatasetCreate) -> Row[Any]:
    """Make an empty dataset in the project.

    Raises:
        NotFound: no such project, or out of reach.
        Forbidden: the caller lacks endpoint:manage there.
        Conflict: the project has a dataset of this name.
    """
    await ADDING.check(session, caller, data.project_id, lock="share")
    dataset = Dataset(tenant_id=caller.tenant_id, created_by=caller.user_id, **data.model_dump())
    session.add(dataset)
    await _flush_name(session)
    return await DatasetCrud(session, caller).summary(dataset.id)


async def update_dataset(session: WriteSession, caller: Caller, dataset_id: UUID, data: DatasetUpdate) -> Row[Any]:
    """Update the name or the description.

    Raises:
        NotFound, Forbidden, Conflict: see `create_dataset`.
    """
    dataset = await changeable(session, caller, dataset_id)
    for name, value in data.model_dump(exclude_unset=True).items():
        if value is not None or name == "description":
            setattr(dataset, name, value)
    await _flush_name(session)
    return await DatasetCrud(session, caller).summary(dataset_id)


async def delete_dataset(session: WriteSession, caller: Caller, dataset_id: UUID) -> None:
    """Delete the dataset; its files go soon after.

    Raises:
        NotFound, Forbidden: see `create_dataset`.
    """
    dataset = await changeable(session, caller, dataset_id)
    dataset.status = DatasetStatus.DELETED


async def create_version(session: WriteSession, caller: Caller, dataset_id: UUID) -> DatasetVersionView:
    """Begin the dataset's next version.

    Raises:
        NotFound, Forbidden: see `create_dataset`.
    """
    await changeable(session, caller, dataset_id)
    number = await DatasetCrud(session, caller).next_number(dataset_id)
    version = DatasetVersion(
        tenant_id=caller.tenant_id, dataset_id=dataset_id, number=number, created_by=caller.user_id
    )
    session.add(version)
    await session.flush()
    return _version_view(version, [])


async def changeable(session: WriteSession, caller: Caller, dataset_id: UUID) -> Dataset:
    """Return the dataset, locked, if the caller may change what its project holds; else raise as documented there."""
    dataset = await DatasetCrud(session, caller).get(dataset_id, for_update=True)
    await CHANGING.check(session, caller, dataset.project_id)
    return dataset


async def before_project_removal(session: WriteSession, removal: Removal) -> None:
    if removal.user_ids is None:
        for dataset in await crud.datasets_of_project(session, removal.project_id):
            dataset.status = DatasetStatus.DELETED


async def _flush_name(session: WriteSession) -> None:
    taken = Conflict("The project has a dataset of this name already; choose another", param="name")
    with conflict_on("uq_dataset_project_id_name", taken):
        await session.flush()


def _versions(rows: Sequence[Row[Any, Any]]) -> list[DatasetVersionView]:
    groups = groupby(rows, key=lambda row: row[0])
    return [_version_view(version, [file for _, file in files if file is not None]) for version, files in groups]


def _version_view(version: DatasetVersion, files: list[DatasetFile]) -> DatasetVersionView:
    views = [FileView.model_validate(file) for file in files]
    return DatasetVersionView(
        number=version.number, created_by=version.created_by, created_at=version.created_at, files=views
    )
