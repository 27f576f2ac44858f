"""What is read of files: what is ready shows what the file has, and what is not says why."""

import json
import os
import signal
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pyarrow as pa
import pytest
from fastapi import FastAPI
from prometheus_client import REGISTRY
from pydantic import SecretStr
from sqlalchemy import update

from budapp.commons.config import Settings
from budapp.commons.database import Database, now
from budapp.commons.domain import components_of
from budapp.dataset_ops.checking import Checking
from budapp.dataset_ops.models import DatasetFile, FileCheck, FilePreview
from budapp.dataset_ops.reading.protocol import Format, Report, Task
from budapp.dataset_ops.reading.readers import Readers
from budapp.dataset_ops.sweeping import Sweeping
from budapp.integrations.storage import Storage
from tests.cast import Cast
from tests.datasets.data import files_of, new_version, put
from tests.datasets.tabular import BOMB, BROKEN_FOOTER, ENCRYPTED, GOOD, damaged_page, parquet, repeated_member
from tests.projects.data import create


async def read(
    client: httpx.AsyncClient, cast: Cast, version: str, checking: Checking, file_name: str, content: bytes
) -> tuple[dict[str, Any], httpx.Response]:
    """Put the file, have it checked, and return it with the answer of its preview."""
    accepted = await put(client, cast.manager, version, content, file_name)
    assert accepted.status_code == 200, accepted.text
    await checking.check()
    (file,) = await files_of(client, cast.manager, version)
    return file, await client.get(f"{version}/files/train/preview?rows=100", headers=cast.manager.headers)


JSON_NUMBERS = b'{"a": 123456789012345678901234567890, "f": 0.12345678901234567890123, "g": 1e400, "n": -0.5}\n'


@pytest.mark.parametrize(
    ("file_name", "content", "types", "first"),
    [
        ("zip.csv", b"zip\n00501\n10115\n", ["string"], {"zip": "00501"}),
        ("id.csv", b"id\n12345678901234567890\n", ["string"], {"id": "12345678901234567890"}),
        ("hex.csv", b"h\n0x1F\n", ["string"], {"h": "0x1F"}),
        ("inf.csv", b"f,g\ninf,1.5\n,2\n", ["double", "double"], {"f": "inf", "g": 1.5}),
        ("wide.csv", b"n\n9007199254740993\n", ["int64"], {"n": "9007199254740993"}),
        ("ns.csv", b"t,b\n2020-01-01 00:00:00.123456789,1\n", ["timestamp[ns]", "int64"], None),
        ("year0.csv", b"t\n0000-01-01\n", ["date32[day]"], {"t": "0000-01-01"}),
        ("late.csv", b"a\n" + b"1\n" * 2_000_000 + b"n/k\n", ["string"], {"a": "1"}),
        ("bom.csv", b"\xef\xbb\xbfa,b\n1,true\n", ["int64", "bool"], {"a": 1, "b": True}),
        ("lines.csv", b'a,b\r\n1,"x\r\n\r\ny"\r\n\r\n2,z', ["int64", "string"], {"a": 1, "b": "x\r\n\r\ny"}),
        ("old.csv", b"a,b\r1,2\r", ["int64", "int64"], {"a": 1, "b": 2}),
        ("nul.csv", b"a\n\0\n", ["string"], {"a": "\0"}),
        ("none.csv", b"a,b\n", ["null", "null"], None),
        ("long.csv", b"a,b\n1," + b"x" * 4_000_000 + b"\n", ["int64", "string"], None),
        ("mixed.jsonl", b'{"a": 1}\n{"a": "x"}\n', ["mixed"], {"a": 1}),
        ("mixed.jsonl", b'{"a": 1.5}\n{"a": "x"}\n', ["mixed"], {"a": 1.5}),
        ("late.jsonl", b'{"a": 1}\n' * 2000 + b'{"a": "x"}\n', ["mixed"], {"a": 1}),
        ("bom.jsonl", b'\xef\xbb\xbf{"a": [{"b": 1}]}\n', ["list<item: struct<b: int64>>"], {"a": [{"b": 1}]}),
        (
            "big.jsonl",
            JSON_NUMBERS,
            ["mixed", "double", "double", "double"],
            {"a": "123456789012345678901234567890", "f": "0.12345678901234567890123", "g": "1e400", "n": -0.5},
        ),
        ("inf.parquet", parquet(pa.array([float("inf"), None])), ["double"], {"a": "Infinity"}),
        ("u64.parquet", parquet(pa.array([2**64 - 1], pa.uint64())), ["uint64"], {"a": "18446744073709551615"}),
        (
            "ns.parquet",
            parquet(pa.array([1600000000123456789], pa.timestamp("ns"))),
            ["timestamp[ns]"],
            {"a": "2020-09-13T12:26:40.123456789"},
        ),
        (
            "far.parquet",
            parquet(pa.array([10**18], pa.timestamp("us"))),
            ["timestamp[us]"],
            {"a": "1000000000000000000 us since 1970-01-01"},
        ),
        (
            "zone.parquet",
            parquet(pa.array([0], pa.timestamp("us", "Mars/Olympus"))),
            ["timestamp[us, tz=Mars/Olympus]"],
            {"a": "1970-01-01T00:00:00.000000Z"},
        ),
        ("long.parquet", parquet(pa.array([2**62], pa.duration("us"))), None, {"a": "PT4611686018427.387904S"}),
        ("day.parquet", parquet(pa.array([2**31 - 1], pa.int32()).view(pa.date32())), None, None),
        ("code.parquet", parquet(pa.array(["a", "b"]).dictionary_encode()), ["string"], {"a": "a"}),
        ("map.parquet", parquet(pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64()))), None, {"a": [["k", 1]]}),
    ],
)
async def test_a_preview_shows_what_the_file_has(
    client: httpx.AsyncClient,
    cast: Cast,
    version: str,
    checking: Checking,
    file_name: str,
    content: bytes,
    types: list[str] | None,
    first: dict[str, Any] | None,
) -> None:
    file, preview = await read(client, cast, version, checking, file_name, content)
    assert (file["status"], file["reason"], preview.status_code) == ("ready", None, 200)
    assert types is None or [column["type"] for column in preview.json()["columns"]] == types
    assert first is None or preview.json()["rows"][0] == first


@pytest.mark.parametrize(
    ("file_name", "content", "reason"),
    [
        ("a.parquet", BROKEN_FOOTER, "This is not a Parquet file, or its footer is damaged"),
        ("a.parquet", ENCRYPTED, "The file is encrypted"),
        ("a.parquet", damaged_page(), "Row group 1, column `a`: the content is damaged"),
        (
            "a.parquet",
            parquet(pa.array([b"\xff"]).view(pa.string())),
            "Row group 1, column `a`: the content is damaged",
        ),
        ("a.parquet", repeated_member(), "Column `a`: duplicate field name `x`"),
        ("a.parquet", parquet(pa.array([1]), "a\0b"), "The name `a\ufffdb` contains a NUL character"),
        ("a.csv", b"id,na\0me\n1,a\n", "The name `na\ufffdme` contains a NUL character"),
        ("a.csv", "id,name\n1,a\n2,b\n".encode("utf-16-le"), "NUL character; is the file encoded in UTF-8?"),
        ("a.csv", "id,name\n1,a\n".encode("utf-16"), "The header line is not valid UTF-8"),
        ("a.csv", b"a,b\n1,2\n1,\xff\n", "Row 2, column `b`: not valid UTF-8"),
        ("a.csv", b"a,b\n1,2\n1\n", "Row 2 has 1 cells, but the header line has 2"),
        ("a.csv", b'a,b\n1,2\n1,"2\n3,4\n', "Row 2: unclosed quotation mark"),
        ("a.csv", b'a,b\n1,"5" tape"\n', "Row 1: unexpected text after a closing quotation mark"),
        ("a.csv", b'a\n1\n"2\n3\n', "Row 2: unclosed quotation mark"),
        ("a.csv", b'a,"b\n1,2\n', "The header line: unclosed quotation mark"),
        ("a.csv", b"\n", "The file is empty; it needs a header line"),
        ("a.csv", b"a,a\n1,2\n", "Duplicate column name `a`"),
        ("a.csv", b"\xff,b\n1,2\n", "The header line is not valid UTF-8"),
        ("a.jsonl", b'{"a\\u0000b": 1}\n', "The name `a\ufffdb` contains a NUL character"),
        ("a.jsonl", b'{"a": 1}\n{"a":\n', "Line 2, character 5: EOF while parsing a value"),
        ("a.jsonl", b'{"a": "\\ud800"}\n', "Line 1, character 14: "),
        ("a.jsonl", b'{"a": ' + b"[" * 900 + b"]" * 900 + b"}\n", "recursion limit exceeded"),
        ("a.jsonl", '{"a": 1}\n'.encode("utf-16"), "The file is not encoded in UTF-8"),
        ("a.jsonl", b'{"a": 1}\n[2]\n', "Line 2 is not a JSON object"),
        ("a.jsonl", b"\n", "The file has 0 columns; 1 to 10,000 are allowed"),
    ],
)
async def test_a_refusal_says_what_and_where(
    client: httpx.AsyncClient,
    cast: Cast,
    version: str,
    checking: Checking,
    file_name: str,
    content: bytes,
    reason: str,
) -> None:
    file, preview = await read(client, cast, version, checking, file_name, content)
    assert file["status"] == "refused"
    assert reason in file["reason"]
    assert preview.status_code == 404


async def test_a_long_cell_is_cut_and_says_so(
    client: httpx.AsyncClient, cast: Cast, version: str, checking: Checking
) -> None:
    _, preview = await read(client, cast, version, checking, "bomb.parquet", BOMB)
    body = preview.json()
    assert [row["a"] for row in body["rows"]] == ["x" * 1000 + "…"] * 100
    assert body["cut_columns"] == ["a"]


@pytest.mark.parametrize(
    ("file_name", "content"),
    [
        ("a.jsonl", b'{"a": {"b": [' + b'"xxxxxxxxx",' * 50_000 + b'"y"]}}\n'),
        ("a.parquet", parquet(pa.array([[{"x": ["y" * 100_000] * 20}]]))),
        ("a.parquet", parquet(pa.array(["z" * 100_000] * 5).dictionary_encode())),
        ("a.parquet", parquet(pa.array([b"\xff" * 100_000]))),
        ("a.csv", b"a\n" + b"c" * 100_000 + b"\n"),
    ],
)
async def test_a_cell_of_any_kind_has_a_limit(
    client: httpx.AsyncClient, cast: Cast, version: str, checking: Checking, file_name: str, content: bytes
) -> None:
    _, preview = await read(client, cast, version, checking, file_name, content)
    assert len(preview.content) < 10_000
    assert "…" in json.dumps(preview.json()["rows"], ensure_ascii=False)
    assert preview.json()["cut_columns"] == ["a"]


async def test_an_answer_has_a_limit_however_many_columns_there_are(
    client: httpx.AsyncClient, cast: Cast, version: str, checking: Checking
) -> None:
    header = ",".join(f"column{number}" for number in range(5000))
    row = ",".join(["x" * 100] * 5000)
    _, preview = await read(client, cast, version, checking, "wide.csv", f"{header}\n{row}\n{row}\n".encode())
    body = preview.json()
    assert len(body["rows"][0]) == 5000
    assert len(json.dumps(body["rows"])) < 2 * 1024 * 1024


async def test_fewer_rows_can_be_asked_for(
    client: httpx.AsyncClient, cast: Cast, version: str, checking: Checking
) -> None:
    content = b"a,b\n1,x\n2," + b"y" * 2000 + b"\n"
    await read(client, cast, version, checking, "a.csv", content)
    one = (await client.get(f"{version}/files/train/preview?rows=1", headers=cast.manager.headers)).json()
    assert (one["rows"], one["cut_columns"], one["row_count"]) == ([{"a": 1, "b": "x"}], [], 2)


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


async def test_a_store_that_does_not_answer_is_not_the_files_fault(
    client: httpx.AsyncClient, app: FastAPI, cast: Cast, version: str, checking: Checking, database: Database
) -> None:
    await put(client, cast.manager, version)
    components = components_of(app)
    settings = components[Settings]
    nowhere = Storage(settings.model_copy(update={"minio_endpoint": "127.0.0.1:9"}))
    bucket, memory = settings.minio_dataset_bucket, settings.dataset_reader_memory_bytes
    elsewhere = Checking(database, nowhere, bucket, components[Readers], memory, components[Sweeping])
    for _ in range(6):
        await elsewhere.check()
        await wait_for_nothing(database)
    await nowhere.close()
    assert (await files_of(client, cast.manager, version))[0]["status"] == "checking"
    await checking.check()
    assert (await files_of(client, cast.manager, version))[0]["status"] == "ready"


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
        url = storage.internal_url(bucket, name, timedelta(minutes=5))
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
