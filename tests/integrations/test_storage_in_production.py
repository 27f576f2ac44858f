"""An object store with TLS by an authority of its own, another region, and keys that the environment has."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from budapp.commons.config import Settings
from budapp.commons.errors import Unavailable
from budapp.dataset_ops.reading.protocol import Format, Task
from budapp.dataset_ops.reading.readers import Readers
from budapp.integrations.storage import Storage
from tests.certificates import Authority
from tests.command_line import budapp
from tests.events.sidecar import free_port, serve
from tests.system.servers import listens, program, running

ACCESS_KEY, SECRET_KEY = "budapp", "budapp-secret"
REGION = "eu-central-1"
MINUTE = timedelta(minutes=1)
USED_BEFORE_THE_END = timedelta(seconds=10)
"""Credentials that are good for less than this are renewed."""


@pytest.fixture(scope="module")
async def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("minio")


@pytest.fixture(scope="module")
async def store(settings: Settings, folder: Path) -> AsyncIterator[Settings]:
    """The settings for a MinIO of our own."""
    port = free_port()
    authority = Authority.make(folder, "authority")
    authority.issue(folder / "public.crt", folder / "private.key")
    addresses = [f"--address=127.0.0.1:{port}", f"--console-address=127.0.0.1:{free_port()}"]
    command: list[str | Path] = [program("MINIO"), "server", folder / "data", *addresses, "--certs-dir", folder]
    keys = {"MINIO_ROOT_USER": ACCESS_KEY, "MINIO_ROOT_PASSWORD": SECRET_KEY, "MINIO_UPDATE": "off"}
    changes = {
        "minio_endpoint": f"127.0.0.1:{port}",
        "minio_public_endpoint": None,
        "minio_access_key": SecretStr(ACCESS_KEY),
        "minio_secret_key": SecretStr(SECRET_KEY),
        "minio_secure": True,
        "minio_public_secure": True,
        "minio_region": REGION,
        "minio_ca_file": str(authority.file),
    }
    trusting = settings.model_copy(update=changes)
    async with running(command, folder / "log", lambda: listens(port), {**keys, "MINIO_SITE_REGION": REGION}):
        yield trusting


@pytest.fixture
async def connect() -> AsyncIterator[Callable[[Settings], Storage]]:
    """Stores that are closed after the test."""
    opened: list[Storage] = []

    def connect(settings: Settings) -> Storage:
        opened.append(Storage(settings))
        return opened[-1]

    yield connect
    for storage in opened:
        await storage.close()


Connect = Callable[[Settings], Storage]


async def stored(storage: Storage) -> tuple[str, str]:
    """Put an object into a new bucket, and return the names of both."""
    bucket = f"bucket-{uuid4()}"
    await storage.ensure_bucket(bucket)
    await storage.put(bucket, "rows.csv", b"a,b\n1,2\n", "text/csv")
    return bucket, "rows.csv"


async def test_files_are_stored_read_and_uploaded_in_parts(store: Settings, connect: Connect) -> None:
    storage = connect(store)
    assert await storage.healthy()
    bucket, name = await stored(storage)
    upload = await storage.begin_upload(bucket, "big")
    part = await storage.presigned_part(bucket, "big", upload, 1, MINUTE)
    async with httpx.AsyncClient(transport=storage._http._transport) as browser:
        etag = (await browser.put(part, content=b"part")).headers["etag"]
    await storage.complete_upload(bucket, "big", upload, [(1, etag)])
    assert (await storage.get(bucket, name), await storage.size(bucket, "big")) == (b"a,b\n1,2\n", 4)


async def test_readers_of_datasets_trust_the_same_authority(store: Settings, connect: Connect) -> None:
    storage, readers = connect(store), Readers(1, store.minio_ca_file)
    bucket, name = await stored(storage)
    url = await storage.internal_url(bucket, name, MINUTE)
    report = await readers.read(Task(url, 8, Format.CSV, 60, 20, 1024**3))
    await readers.close()
    assert report.outcome == "read", report


async def test_a_store_by_another_authority_is_refused_and_the_message_says_why(
    store: Settings, connect: Connect, folder: Path, migrated: None
) -> None:
    stranger = Authority.make(folder, "stranger")
    wrong = store.model_copy(update={"minio_ca_file": str(stranger.file)})
    storage = connect(wrong)
    assert not await storage.healthy()
    with pytest.raises(Unavailable):
        await storage.ensure_bucket("any")
    with pytest.raises(Unavailable):
        await storage.begin_upload("any", "big")
    seeded = await budapp(wrong, "seed")
    assert seeded.status == 1
    assert "certificate verify failed" in seeded.stderr
    assert "Traceback" not in seeded.stderr


async def test_requests_are_signed_for_the_region(store: Settings, connect: Connect) -> None:
    with pytest.raises(Unavailable):
        await connect(store.model_copy(update={"minio_region": "us-east-1"})).ensure_bucket("any")


async def test_keys_of_the_environment_count_where_the_settings_have_none(
    store: Settings, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    storage = connect(without_keys(store))
    bucket, name = await stored(storage)
    assert await storage.get(bucket, name) == b"a,b\n1,2\n"


class Container:
    """Who a container is, as the platform under it tells; what it says is good for a moment."""

    def __init__(self) -> None:
        self.asked = 0
        self.known = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked += 1
        assert Request(scope).headers["authorization"] == "of-this-pod"
        moment = (datetime.now(UTC) + USED_BEFORE_THE_END + timedelta(seconds=2)).strftime("%Y-%m-%dT%H:%M:%SZ")
        found = {"AccessKeyId": ACCESS_KEY, "SecretAccessKey": SECRET_KEY, "Token": None, "Expiration": moment}
        await JSONResponse(found if self.known else {}, 200 if self.known else 403)(scope, receive, send)


async def test_credentials_of_the_workload_are_renewed_and_missing_ones_are_an_outage(
    store: Settings, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    container = Container()
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "of-this-pod")
    async with serve(container) as port:
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"http://127.0.0.1:{port}/")
        storage = connect(without_keys(store))
        bucket, name = await stored(storage)
        url = await storage.presigned_get(bucket, name, MINUTE, "rows.csv")
        async with httpx.AsyncClient(transport=storage._http._transport) as browser:
            assert (await browser.get(url)).content == b"a,b\n1,2\n"
        asked = container.asked
        await asyncio.sleep(2.1)
        assert await storage.get(bucket, name) == b"a,b\n1,2\n"
        assert container.asked > asked
        container.known = False
        await asyncio.sleep(2.1)
        with pytest.raises(Unavailable):
            await storage.get(bucket, name)
        with pytest.raises(Unavailable):
            await storage.presigned_get(bucket, name, MINUTE, "rows.csv")


def without_keys(settings: Settings) -> Settings:
    return settings.model_copy(update={"minio_access_key": None, "minio_secret_key": None})
