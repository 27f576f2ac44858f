"""Who reads files, and what becomes of the file, the reader and everybody else where that goes wrong."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client import REGISTRY
from pydantic import SecretStr
from sqlalchemy import select, update

from budapp.commons.config import Settings
from budapp.commons.database import Database, now
from budapp.commons.domain import components_of
from budapp.dataset_ops.checking import MAX_TRIES, Checking
from budapp.dataset_ops.models import DatasetFile, FileCheck, FilePreview
from budapp.dataset_ops.reading.protocol import Format, Report, Task
from budapp.dataset_ops.reading.readers import Readers
from budapp.dataset_ops.sweeping import Sweeping
from budapp.integrations.storage import Storage
from tests.cast import Cast
from tests.datasets.data import files_of, new_version, objects, put
from tests.datasets.tabular import BROKEN_FOOTER, GOOD
from tests.projects.data import create
from tests.system.faults.proxy import Fault, Proxy


@pytest.fixture
async def proxy(app: FastAPI) -> AsyncIterator[Proxy]:
    host, port = components_of(app)[Settings].minio_endpoint.split(":")
    async with Proxy(host, int(port)).running() as running:
        yield running


@pytest.fixture
async def elsewhere(app: FastAPI, database: Database, checking: Checking, proxy: Proxy) -> AsyncIterator[Checking]:
    """Another replica, with two readers, which reaches the store by the proxy."""
    components = components_of(app)
    settings = components[Settings].model_copy(update={"minio_endpoint": f"127.0.0.1:{proxy.port}"})
    storage, readers = Storage(settings), Readers(2)
    bucket, memory = settings.minio_dataset_bucket, settings.dataset_reader_memory_bytes
    yield Checking(database, storage, bucket, readers, memory, components[Sweeping])
    await readers.close()
    await storage.close()


async def at_work(database: Database) -> set[UUID]:
    """Return the tenants whose files are being read."""
    async with database.read() as session:
        return set((await session.scalars(select(FileCheck.tenant_id).where(FileCheck.lock_token.is_not(None)))).all())


async def test_a_tenants_many_files_leave_a_reader_to_others_and_what_is_cut_off_is_read_elsewhere_at_once(
    client: httpx.AsyncClient,
    cast: Cast,
    version: str,
    checking: Checking,
    elsewhere: Checking,
    proxy: Proxy,
    database: Database,
) -> None:
    project = (await create(client, cast.other_admin))["id"]
    theirs = await new_version(client, cast.other_admin, project)
    for number in range(3):
        await put(client, cast.manager, version, split=f"s{number}")
    await put(client, cast.other_admin, theirs)
    async with proxy.failing("hang"), asyncio.timeout(30):
        await elsewhere.start()
        while await at_work(database) != {cast.tenant_id, cast.other_tenant_id}:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        await elsewhere.stop()
    async with database.read() as session:
        attempts = (await session.scalars(select(FileCheck.attempts))).all()
    assert list(attempts) == [0, 0, 0, 0]
    await checking.check()
    files = [*await files_of(client, cast.manager, version), *await files_of(client, cast.other_admin, theirs)]
    assert [file["status"] for file in files] == ["ready"] * 4


async def test_a_file_that_somebody_waits_for_is_read_before_those_that_only_lack_a_preview(
    client: httpx.AsyncClient, cast: Cast, version: str, elsewhere: Checking, proxy: Proxy, database: Database
) -> None:
    await put(client, cast.manager, version, split="old")
    async with database.write() as session:
        await session.execute(update(DatasetFile).values(status="ready", row_count=3, columns=[]))
    await put(client, cast.manager, version, split="new")
    async with proxy.failing("hang"), asyncio.timeout(30):
        await elsewhere.start()
        while not await at_work(database):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        async with database.read() as session:
            taken = select(DatasetFile.split).join(FileCheck).where(FileCheck.lock_token.is_not(None))
            assert (await session.scalars(taken)).all() == ["new"]
        await elsewhere.stop()


async def test_a_file_that_whoever_read_it_did_not_survive_is_refused_after_a_few_tries(
    client: httpx.AsyncClient, cast: Cast, version: str, checking: Checking, database: Database
) -> None:
    await put(client, cast.manager, version)
    async with database.write() as session:  # as processes leave it that die
        gone = {"attempts": MAX_TRIES, "lock_token": uuid4(), "lock_expires_at": now()}
        await session.execute(update(FileCheck).values(**gone))
    await checking.check()
    (file,) = await files_of(client, cast.manager, version)
    assert (file["status"], file["reason"]) == ("refused", "The file could not be read")


@pytest.mark.parametrize("bad", [("a.parquet", BROKEN_FOOTER), ("a.csv", b"a\0,b\n1,2\n"), ("a.jsonl", b"{")])
async def test_a_bad_file_keeps_no_other_tenants_file_waiting(
    client: httpx.AsyncClient, cast: Cast, version: str, checking: Checking, bad: tuple[str, bytes]
) -> None:
    project = (await create(client, cast.other_admin))["id"]
    theirs = await new_version(client, cast.other_admin, project)
    await put(client, cast.manager, version, bad[1], bad[0])
    await put(client, cast.other_admin, theirs)
    await checking.check()
    (refused,) = await files_of(client, cast.manager, version)
    (ready,) = await files_of(client, cast.other_admin, theirs)
    assert (refused["status"], ready["status"]) == ("refused", "ready")


async def test_a_file_that_cannot_be_settled_is_set_aside_after_a_few_tries_while_others_are_ready(
    client: httpx.AsyncClient, cast: Cast, version: str, checking: Checking, database: Database
) -> None:
    file_id = (await put(client, cast.manager, version)).json()["file"]["id"]
    await put(client, cast.manager, version, split="test")
    async with database.write() as session:  # what the file's preview will clash with
        session.add(FilePreview(file_id=UUID(file_id), rows=b"[]"))
    failures, given_up = checks("failed"), checks("given_up")
    for _ in range(5):
        await checking.check()
        await wait_for_nothing(database)
    states = {file["split"]: file for file in await files_of(client, cast.manager, version)}
    assert states["test"]["status"] == "ready"
    assert (states["train"]["status"], states["train"]["reason"]) == ("refused", "The file could not be read")
    assert (checks("failed") - failures, checks("given_up") - given_up) == (5, 1)


def checks(outcome: str) -> float:
    return REGISTRY.get_sample_value("budapp_dataset_file_checks_total", {"outcome": outcome}) or 0


async def wait_for_nothing(database: Database) -> None:
    """Have what was put off be due now."""
    async with database.write() as session:
        await session.execute(update(FileCheck).values(due_at=now()))


@pytest.mark.parametrize("fault", ["cut", "reset"])
async def test_a_store_that_does_not_answer_is_not_the_files_fault(
    client: httpx.AsyncClient,
    cast: Cast,
    version: str,
    elsewhere: Checking,
    proxy: Proxy,
    database: Database,
    fault: Fault,
) -> None:
    await put(client, cast.manager, version)
    async with proxy.failing(fault):
        for _ in range(MAX_TRIES + 1):
            await elsewhere.check()
            await wait_for_nothing(database)
    assert (await files_of(client, cast.manager, version))[0]["status"] == "checking"
    await elsewhere.check()
    assert (await files_of(client, cast.manager, version))[0]["status"] == "ready"


async def test_what_could_not_be_removed_when_it_was_refused_is_removed_by_the_next_sweep(
    client: httpx.AsyncClient, app: FastAPI, cast: Cast, version: str, database: Database, sweeping: Sweeping
) -> None:
    await put(client, cast.manager, version, BROKEN_FOOTER, "a.parquet")
    components = components_of(app)
    settings = components[Settings]
    bucket, memory = settings.minio_dataset_bucket, settings.dataset_reader_memory_bytes
    nowhere = Storage(settings.model_copy(update={"minio_endpoint": "127.0.0.1:9"}))
    unable = Sweeping(database, nowhere, bucket)
    await Checking(database, components[Storage], bucket, components[Readers], memory, unable).check()
    await nowhere.close()
    (file,) = await files_of(client, cast.manager, version)
    assert file["reason"] == "This is not a Parquet file, or its footer is damaged"
    assert len(objects(app, cast.tenant_id)) == 1
    await sweeping.sweep()
    assert objects(app, cast.tenant_id) == []
    assert await files_of(client, cast.manager, version) == [file]


async def test_a_file_that_was_ready_before_previews_were_kept_gets_one_and_loses_nothing(
    client: httpx.AsyncClient, cast: Cast, version: str, checking: Checking, database: Database
) -> None:
    await put(client, cast.manager, version)
    await put(client, cast.manager, version, BROKEN_FOOTER, "old.parquet", "test")
    async with database.write() as session:  # as the migration leaves them
        await session.execute(update(DatasetFile).values(status="ready", row_count=3, columns=[]))
    early = await client.get(f"{version}/files/train/preview", headers=cast.manager.headers)
    await checking.check()
    shown = await client.get(f"{version}/files/train/preview", headers=cast.manager.headers)
    broken = await client.get(f"{version}/files/test/preview", headers=cast.manager.headers)
    kept = await client.get(f"{version}/files/test/download", headers=cast.manager.headers)
    assert (early.status_code, shown.status_code, broken.status_code, kept.status_code) == (409, 200, 409, 200)
    assert broken.json()["message"] == "The file can't be shown: This is not a Parquet file, or its footer is damaged"


async def reports_on(app: FastAPI, *contents: tuple[Format, bytes, int, int]) -> list[Report]:
    """Have contents read, each within seconds of a processor and bytes of memory, by one reader."""
    storage, bucket = components_of(app)[Storage], components_of(app)[Settings].minio_dataset_bucket
    readers, reports = Readers(1), []
    for kind, content, cpu_seconds, memory_bytes in contents:
        name = f"probe/{uuid4()}"
        await storage.put(bucket, name, content, "application/octet-stream")
        url = await storage.internal_url(bucket, name, timedelta(minutes=5))
        reports.append(await readers.read(Task(url, len(content), kind, 120, cpu_seconds, memory_bytes)))
    await readers.close()
    return reports


async def test_reading_ends_where_it_takes_too_much_and_the_next_file_is_read(app: FastAPI, checking: Checking) -> None:
    slow, fat, good = await reports_on(
        app,
        (Format.CSV, b"a\n" + b"1\n" * 4_000_000, 1, 1024**3),
        (Format.JSONL, b'{"a": [' + b"[]," * 3_000_000 + b"[]]}\n", 60, 300 * 1024**2),
        (Format.PARQUET, GOOD, 60, 1024**3),
    )
    assert (slow.outcome, slow.signal) == ("died", signal.SIGXCPU)
    assert (fat.outcome, fat.signal) == ("died", signal.SIGABRT)
    assert good.outcome == "read"


def reader_processes() -> list[Path]:
    """Return the readers of this process, as the system knows them."""
    children = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parent = process.joinpath("stat").read_text().rpartition(")")[2].split()[1]
            if parent == str(os.getpid()) and b"reading.server" in process.joinpath("cmdline").read_bytes():
                children.append(process)
    return children


async def test_a_reader_that_was_killed_between_two_files_is_replaced(
    client: httpx.AsyncClient, cast: Cast, version: str, checking: Checking
) -> None:
    await put(client, cast.manager, version)
    await checking.check()
    for process in reader_processes():
        os.kill(int(process.name), signal.SIGKILL)
    async with asyncio.timeout(10):
        while reader_processes():  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    failures = checks("failed")
    await put(client, cast.manager, version, split="test")
    await checking.check()
    assert [file["status"] for file in await files_of(client, cast.manager, version)] == ["ready", "ready"]
    assert checks("failed") == failures


async def test_a_reader_knows_no_secret(
    client: httpx.AsyncClient, app: FastAPI, cast: Cast, version: str, checking: Checking
) -> None:
    await put(client, cast.manager, version)
    await checking.check()
    readers = reader_processes()
    known = b"".join(process.joinpath(name).read_bytes() for process in readers for name in ("environ", "cmdline"))
    settings = components_of(app)[Settings]
    secrets = [value.get_secret_value() for _, value in settings if isinstance(value, SecretStr)]
    secrets = [secret for secret in secrets if len(secret) >= 12]  # others are words that a path may have
    assert readers
    assert len(secrets) > 3
    assert [secret for secret in secrets if secret.encode() in known] == []
    assert b"PSQL_" not in known
