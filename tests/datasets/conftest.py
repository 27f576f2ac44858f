"""A project with a dataset, and the store that its files go to."""

import httpx
import pytest
from fastapi import FastAPI

from budapp.commons.config import Settings
from budapp.commons.domain import components_of
from budapp.dataset_ops.checking import Checking
from budapp.dataset_ops.sweeping import Sweeping
from budapp.integrations.storage import Storage
from tests.cast import Cast
from tests.datasets.data import new_version
from tests.projects.data import create


@pytest.fixture(scope="session")
async def checking(app: FastAPI) -> Checking:
    """The jobs that look after files; the bucket is there."""
    await components_of(app)[Storage].ensure_bucket(components_of(app)[Settings].minio_dataset_bucket)
    checking: Checking = components_of(app)[Checking]
    return checking


@pytest.fixture
def sweeping(app: FastAPI, checking: Checking) -> Sweeping:
    """The job that removes."""
    return components_of(app)[Sweeping]


@pytest.fixture
async def project_id(client: httpx.AsyncClient, cast: Cast) -> str:
    """The id of a project that the manager made."""
    return str((await create(client, cast.manager))["id"])


@pytest.fixture
async def version(client: httpx.AsyncClient, cast: Cast, project_id: str, checking: Checking) -> str:
    """The path of the first version of a dataset."""
    return await new_version(client, cast.manager, project_id)


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the objects of which an upload in parts is begun, also where nothing is known of it then."""
    names: list[str] = []
    begin = Storage.begin_upload

    async def noted(storage: Storage, bucket: str, name: str) -> str:
        names.append(name)
        return await begin(storage, bucket, name)

    monkeypatch.setattr(Storage, "begin_upload", noted)
    return names
