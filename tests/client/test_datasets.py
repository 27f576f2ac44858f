"""Files of datasets, sent in parts."""

import asyncio
from pathlib import Path
from uuid import UUID

import pytest

from budapp.dataset_ops.checking import Checking
from budapp_client import Budapp, BudappError, answer, upload
from budapp_client.datasets import wait_until_checked
from budapp_client.rest.api.datasets import datasets_create, datasets_get
from budapp_client.rest.api.projects import projects_create
from budapp_client.rest.models import DatasetCreate, ProjectCreate
from tests.datasets.conftest import checking

__all__ = ["checking"]

PART_BYTES = 16 * 1024 * 1024


@pytest.fixture
async def dataset_id(api: Budapp, checking: Checking) -> UUID:
    def make() -> UUID:
        project = answer(projects_create.sync(client=api, body=ProjectCreate(name="Data"))).project
        body = DatasetCreate(project_id=project.id, name="Numbers")
        return answer(datasets_create.sync(client=api, body=body)).dataset.id

    return await asyncio.to_thread(make)


async def test_a_file_is_sent_in_two_parts_and_checked(
    api: Budapp, dataset_id: UUID, checking: Checking, tmp_path: Path
) -> None:
    path = tmp_path / "numbers.csv"
    row = f"1,{'a' * 4000}\n"
    path.write_text("id,text\n" + row * (PART_BYTES // len(row) + 100))
    sent: list[tuple[int, int]] = []
    file = await asyncio.to_thread(upload, api, dataset_id, path, on_sent=lambda *told: sent.append(told))
    size = path.stat().st_size
    assert sent == [(PART_BYTES, size), (size, size)]
    assert file.status == "checking"
    await checking.check()
    ready = await asyncio.to_thread(wait_until_checked, api, dataset_id, file.id)
    assert (ready.status, ready.size, ready.row_count) == ("ready", size, PART_BYTES // len(row) + 100)


async def test_a_file_that_is_refused_says_why(
    api: Budapp, dataset_id: UUID, checking: Checking, tmp_path: Path
) -> None:
    path = tmp_path / "broken.jsonl"
    path.write_text('{"id": 1}\n{"id":\n')
    file = await asyncio.to_thread(upload, api, dataset_id, path, "test")
    await checking.check()
    with pytest.raises(BudappError, match=r"broken\.jsonl was refused: Line 2, character 6"):
        await asyncio.to_thread(wait_until_checked, api, dataset_id, file.id)


async def test_an_upload_that_breaks_off_leaves_nothing(api: Budapp, dataset_id: UUID, tmp_path: Path) -> None:
    path = tmp_path / "numbers.csv"
    path.write_text("id\n1\n")

    def broken(_sent: int, _size: int) -> None:
        raise KeyboardInterrupt

    def attempt() -> None:
        with pytest.raises(KeyboardInterrupt):
            upload(api, dataset_id, path, on_sent=broken)

    await asyncio.to_thread(attempt)
    dataset = answer(await asyncio.to_thread(datasets_get.sync, dataset_id, client=api)).dataset
    assert dataset.versions[0].files == []


async def test_an_empty_file_is_not_sent(api: Budapp, dataset_id: UUID, tmp_path: Path) -> None:
    path = tmp_path / "empty.csv"
    path.touch()
    with pytest.raises(BudappError, match=r"empty\.csv is empty"):
        await asyncio.to_thread(upload, api, dataset_id, path)
    assert answer(await asyncio.to_thread(datasets_get.sync, dataset_id, client=api)).dataset.versions == []
