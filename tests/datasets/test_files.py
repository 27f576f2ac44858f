"""How files come into a dataset and out of it."""

import asyncio
import hashlib
from datetime import timedelta
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import update

from budapp.commons.config import Settings
from budapp.commons.database import Database, now
from budapp.commons.domain import components_of
from budapp.dataset_ops.checking import Checking
from budapp.dataset_ops.files import Files
from budapp.dataset_ops.models import DatasetFile
from budapp.dataset_ops.sweeping import Sweeping
from budapp.integrations.storage import Storage
from tests.cast import Cast
from tests.datasets.data import CSV, begin, files_of, objects, put, send_parts, unfinished
from tests.projects.data import messages
from tests.stack import http_client
from tests.waiting import until


async def test_a_small_file_is_ready_once_checked_with_columns_rows_size_and_checksum(
    client: httpx.AsyncClient, cast: Cast, version: str, checking: Checking
) -> None:
    accepted = await put(client, cast.manager, version)
    assert accepted.status_code == 200, accepted.text
    assert accepted.json()["file"]["status"] == "checking"

    await checking.check()

    (file,) = await files_of(client, cast.manager, version)
    assert (file["status"], file["row_count"], file["size"]) == ("ready", 3, len(CSV))
    assert file["checksum"] == hashlib.sha256(CSV).hexdigest()
    assert [(column["name"], column["type"]) for column in file["columns"]] == [
        ("id", "int64"),
        ("text", "string"),
        ("score", "double"),
    ]


async def test_a_large_file_goes_to_the_store_in_parts_and_comes_back_whole(
    client: httpx.AsyncClient, cast: Cast, version: str, checking: Checking
) -> None:
    content = b"id,text\n" + b"".join(b"%d,some text that fills the line\n" % i for i in range(600_000))
    begun = await begin(client, cast.manager, version, len(content), checksum=hashlib.sha256(content).hexdigest())
    assert begun.status_code == 200, begun.text
    upload = begun.json()
    assert len(upload["parts"]) == 2
    path = f"{version}/uploads/{upload['file']['id']}/complete"
    parts = await send_parts(upload, content)

    for _ in range(2):
        completed = await client.post(path, json={"parts": parts}, headers=cast.manager.headers)
        assert (completed.status_code, completed.json()["file"]["status"]) == (200, "checking")
    await checking.check()

    answer = await client.get(f"{version}/files/train/download", headers=cast.manager.headers)
    async with http_client() as browser:
        downloaded = await browser.get(answer.json()["url"])
    assert downloaded.content == content
    assert "data.csv" in downloaded.headers["content-disposition"]
    assert (await files_of(client, cast.manager, version))[0]["row_count"] == 600_000


async def test_the_first_rows_are_shown(
    client: httpx.AsyncClient, cast: Cast, version: str, checking: Checking
) -> None:
    await put(client, cast.manager, version)
    early = await client.get(f"{version}/files/train/preview", headers=cast.manager.headers)
    await checking.check()
    shown = (await client.get(f"{version}/files/train/preview?rows=2", headers=cast.manager.headers)).json()
    assert early.status_code == 409
    assert shown["rows"] == [{"id": 1, "text": "one", "score": 0.5}, {"id": 2, "text": "two", "score": 1.5}]
    assert shown["row_count"] == 3


@pytest.mark.parametrize(
    ("file_name", "content"),
    [
        ("data.csv", b"a,b\n1\n"),
        ("data.csv", b"a,a\n1,2\n"),
        ("data.jsonl", b"[1]\n"),
        ("data.jsonl", b'{"a": 1}\n{"a":\n'),
        ("data.parquet", b"PAR1 but no more"),
    ],
)
async def test_content_that_is_not_what_it_should_be_is_refused_with_a_reason_and_not_kept(
    client: httpx.AsyncClient,
    app: FastAPI,
    cast: Cast,
    version: str,
    checking: Checking,
    file_name: str,
    content: bytes,
) -> None:
    await put(client, cast.manager, version, content, file_name)
    await checking.check()
    (file,) = await files_of(client, cast.manager, version)
    assert (file["status"], bool(file["reason"])) == ("refused", True)
    assert objects(app, cast.tenant_id) == []
    assert (await put(client, cast.manager, version)).status_code == 200  # the split is free again


async def test_content_with_another_checksum_than_announced_is_refused(
    client: httpx.AsyncClient, cast: Cast, version: str, checking: Checking
) -> None:
    upload = (await begin(client, cast.manager, version, len(CSV), checksum="0" * 64)).json()
    parts = await send_parts(upload, CSV)
    path = f"{version}/uploads/{upload['file']['id']}/complete"
    await client.post(path, json={"parts": parts}, headers=cast.manager.headers)
    await checking.check()
    (file,) = await files_of(client, cast.manager, version)
    assert file["status"] == "refused"
    assert hashlib.sha256(CSV).hexdigest() in file["reason"]


@pytest.mark.parametrize("content", [CSV + b"4,four,4\n", CSV[:-1], CSV[:1]])
async def test_parts_of_another_size_than_announced_are_refused(
    client: httpx.AsyncClient, app: FastAPI, cast: Cast, version: str, content: bytes
) -> None:
    upload = (await begin(client, cast.manager, version, len(CSV))).json()
    parts = await send_parts(upload, content)
    path = f"{version}/uploads/{upload['file']['id']}/complete"
    answer = await client.post(path, json={"parts": parts}, headers=cast.manager.headers)
    body = answer.json()
    assert (body["file"]["status"], objects(app, cast.tenant_id)) == ("refused", [])
    assert body["message"] == body["file"]["reason"]


async def test_a_checksum_in_capitals_is_the_same_checksum(
    client: httpx.AsyncClient, cast: Cast, version: str, checking: Checking
) -> None:
    checksum = hashlib.sha256(CSV).hexdigest()
    upload = (await begin(client, cast.manager, version, len(CSV), checksum=checksum.upper())).json()
    path = f"{version}/uploads/{upload['file']['id']}/complete"
    parts = await send_parts(upload, CSV)
    await client.post(path, json={"parts": parts}, headers=cast.manager.headers)
    await checking.check()
    (file,) = await files_of(client, cast.manager, version)
    assert (file["status"], file["checksum"]) == ("ready", checksum)


async def test_addresses_are_good_for_as_long_as_they_say_and_no_longer(
    client: httpx.AsyncClient, app: FastAPI, cast: Cast, version: str, checking: Checking
) -> None:
    upload = (await begin(client, cast.manager, version, len(CSV), split="test")).json()
    await put(client, cast.manager, version)
    await checking.check()
    download = (await client.get(f"{version}/files/train/download", headers=cast.manager.headers)).json()
    seconds = components_of(app)[Settings].presigned_url_seconds
    hours = components_of(app)[Settings].dataset_upload_hours
    assert (download["expires_in"], lifetime_of(download["url"])) == (seconds, seconds)
    assert (upload["expires_in"], lifetime_of(upload["parts"][0]["url"])) == (hours * 3600, hours * 3600)


def lifetime_of(url: str) -> int:
    return int(httpx.URL(url).params["X-Amz-Expires"])


async def test_parts_that_were_never_uploaded_are_400(client: httpx.AsyncClient, cast: Cast, version: str) -> None:
    upload = (await begin(client, cast.manager, version, len(CSV))).json()
    path = f"{version}/uploads/{upload['file']['id']}/complete"
    parts = [{"number": 1, "etag": '"d41d8cd98f00b204e9800998ecf8427e"'}]
    answer = await client.post(path, json={"parts": parts}, headers=cast.manager.headers)
    assert (answer.status_code, answer.json()["param"]) == (400, "parts")


@pytest.mark.parametrize("file_name", ["data.exe", "data", "csv", "data.csv.zip"])
async def test_a_file_of_another_kind_is_415(
    client: httpx.AsyncClient, cast: Cast, version: str, file_name: str
) -> None:
    answer = await begin(client, cast.manager, version, 10, file_name=file_name)
    assert (answer.status_code, answer.json()["param"]) == (415, "file_name")


async def test_a_file_over_the_limit_is_413(client: httpx.AsyncClient, app: FastAPI, cast: Cast, version: str) -> None:
    answer = await begin(client, cast.manager, version, components_of(app)[Settings].dataset_file_max_bytes + 1)
    assert (answer.status_code, answer.json()["param"]) == (413, "size")


@pytest.mark.parametrize("file_name", ["../data.csv", "a/b.csv", "..\\data.csv", "/data.csv", "a\ndata.csv", ""])
async def test_a_path_is_no_file_name(client: httpx.AsyncClient, cast: Cast, version: str, file_name: str) -> None:
    answer = await begin(client, cast.manager, version, 10, file_name=file_name)
    assert (answer.status_code, answer.json()["param"]) == (422, "file_name")


@pytest.mark.parametrize(("file_name", "content", "param"), [("../data.csv", CSV, "file_name"), ("a.csv", b"", "size")])
async def test_a_small_file_with_a_path_or_without_content_is_422(
    client: httpx.AsyncClient, cast: Cast, version: str, file_name: str, content: bytes, param: str
) -> None:
    answer = await put(client, cast.manager, version, content, file_name)
    assert (answer.status_code, answer.json()["param"]) == (422, param)


async def test_a_split_has_one_file_also_for_parallel_uploads(
    client: httpx.AsyncClient, app: FastAPI, cast: Cast, version: str
) -> None:
    answers = await asyncio.gather(*(put(client, cast.manager, version) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]
    assert len(objects(app, cast.tenant_id)) == 1


async def test_an_upload_that_is_refused_leaves_nothing_in_the_store(
    client: httpx.AsyncClient, app: FastAPI, cast: Cast, version: str, begun: list[str]
) -> None:
    for status in (200, 409):
        assert (await begin(client, cast.manager, version, len(CSV))).status_code == status

    async def is_gone() -> bool:
        return unfinished(app, begun) == begun[:1]

    await until(is_gone)


async def test_an_upload_that_is_given_up_leaves_nothing(
    client: httpx.AsyncClient, app: FastAPI, cast: Cast, version: str, begun: list[str]
) -> None:
    upload = (await begin(client, cast.manager, version, len(CSV))).json()
    await send_parts(upload, CSV)
    assert unfinished(app, begun) == begun
    path = f"{version}/uploads/{upload['file']['id']}"
    assert (await client.delete(path, headers=cast.manager.headers)).status_code == 200
    assert (await client.delete(path, headers=cast.manager.headers)).status_code == 404
    assert await files_of(client, cast.manager, version) == []
    assert (objects(app, cast.tenant_id), unfinished(app, begun)) == ([], [])


async def test_an_upload_that_nobody_completes_is_swept_away(
    client: httpx.AsyncClient,
    app: FastAPI,
    cast: Cast,
    version: str,
    database: Database,
    sweeping: Sweeping,
    begun: list[str],
) -> None:
    await begin(client, cast.manager, version, len(CSV))
    await sweeping.sweep()
    assert len(await files_of(client, cast.manager, version)) == 1
    async with database.write() as session:
        await session.execute(update(DatasetFile).values(upload_expires_at=now() - timedelta(seconds=1)))
    await sweeping.sweep()
    assert await files_of(client, cast.manager, version) == []
    assert (objects(app, cast.tenant_id), unfinished(app, begun)) == ([], [])


async def test_the_files_of_a_deleted_dataset_go(
    client: httpx.AsyncClient, app: FastAPI, cast: Cast, version: str, sweeping: Sweeping, begun: list[str]
) -> None:
    await put(client, cast.manager, version)
    await begin(client, cast.manager, version, 10, split="test")
    dataset = version.rpartition("/versions/")[0]
    assert (await client.delete(dataset, headers=cast.manager.headers)).status_code == 200
    await sweeping.sweep()
    assert (objects(app, cast.tenant_id), unfinished(app, begun)) == ([], [])


async def test_the_files_of_a_deleted_project_go(
    client: httpx.AsyncClient, app: FastAPI, cast: Cast, version: str, project_id: str, sweeping: Sweeping
) -> None:
    await put(client, cast.manager, version)
    assert (await client.delete(f"/projects/{project_id}", headers=cast.manager.headers)).status_code == 200
    await sweeping.sweep()
    assert objects(app, cast.tenant_id) == []


async def test_who_brought_a_file_is_told_what_became_of_it(
    client: httpx.AsyncClient, cast: Cast, version: str, checking: Checking, database: Database
) -> None:
    await put(client, cast.manager, version)
    await checking.check()
    _, payload = (await messages(database))[-1]
    assert payload["subscriber_ids"] == [str(cast.manager.id)]
    assert payload["payload"]["type"] == "dataset_file_ready"


async def test_a_store_that_is_down_is_503_and_leaves_no_row(
    client: httpx.AsyncClient, app: FastAPI, cast: Cast, version: str
) -> None:
    nowhere = components_of(app)[Settings].model_copy(update={"minio_endpoint": "127.0.0.1:9"})
    storage = Storage(nowhere)
    files = components_of(app)[Files]
    components_of(app).override(Files, Files.of(nowhere, storage, components_of(app)[Sweeping]))
    try:
        for answer in (await begin(client, cast.manager, version, 10), await put(client, cast.manager, version)):
            assert answer.status_code == 503
    finally:
        components_of(app).override(Files, files)
    assert await files_of(client, cast.manager, version) == []
    await storage.close()


async def test_another_version_or_dataset_does_not_lead_to_a_file(
    client: httpx.AsyncClient, cast: Cast, version: str
) -> None:
    upload = (await begin(client, cast.manager, version, 10)).json()
    dataset = version.rpartition("/versions/")[0]
    await client.post(f"{dataset}/versions", headers=cast.manager.headers)
    for path in (f"{dataset}/versions/2/uploads/{upload['file']['id']}", f"{version}/uploads/{uuid4()}"):
        assert (await client.delete(path, headers=cast.manager.headers)).status_code == 404
