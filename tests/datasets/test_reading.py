"""What is read of files: what is ready shows what the file has, and what is not says why."""

import json
from typing import Any

import httpx
import pyarrow as pa
import pytest

from budapp.dataset_ops.checking import Checking
from tests.cast import Cast
from tests.datasets.data import files_of, put
from tests.datasets.tabular import BOMB, BROKEN_FOOTER, ENCRYPTED, damaged_page, parquet, repeated_member


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
        ("price.csv", b"p,q\n1.50,1.5\n1e5,2.0\n", ["double", "double"], {"p": "1.50", "q": 1.5}),
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
        ("mixed.jsonl", b'{"a": true}\n{"a": 1}\n', ["mixed"], {"a": True}),
        ("mixed.jsonl", b'{"a": {"b": 1}}\n{"a": {"b": "x"}}\n', ["mixed"], {"a": {"b": 1}}),
        ("mixed.jsonl", b'{"a": [1]}\n{"a": 1}\n', ["mixed"], {"a": [1]}),
        ("both.jsonl", b'{"a": 1}\n{"b": 1.5, "a": null}\n{"b": 2}\n', ["int64", "double"], {"a": 1}),
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
