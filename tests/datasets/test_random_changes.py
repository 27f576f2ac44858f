"""Whatever is changed in a file, it is ready and can be shown, or refused for a reason; other files never wait."""

import io
from typing import Any
from uuid import uuid4

import httpx
import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from budapp.dataset_ops.checking import Checking
from budapp.dataset_ops.outcomes import UNREAD
from tests.cast import Cast
from tests.datasets.data import files_of, new_version, put

ROWS = range(40)


def table() -> pa.Table:
    """Return a table with a column of each kind that there is."""
    return pa.table(
        {
            "integer": pa.array(ROWS),
            "float": pa.array([n / 7 for n in ROWS], pa.float32()),
            "text": pa.array([f"text {n}" for n in ROWS]),
            "code": pa.array([f"code {n % 3}" for n in ROWS]).dictionary_encode(),
            "moment": pa.array([1_600_000_000_123_456_789 + n for n in ROWS], pa.timestamp("ns", "UTC")),
            "day": pa.array(ROWS, pa.date32()),
            "time": pa.array(ROWS, pa.time64("ns")),
            "duration": pa.array(ROWS, pa.duration("us")),
            "decimal": pa.array(list(ROWS), pa.decimal128(20, 3)),
            "bytes": pa.array([b"\xff" * n for n in ROWS]),
            "list": pa.array([[n, None] for n in ROWS]),
            "struct": pa.array([{"x": n, "y": {"z": "q" * n}} for n in ROWS]),
            "map": pa.array([[("k", n)] for n in ROWS], pa.map_(pa.string(), pa.int64())),
        }
    )


def written(**options: Any) -> bytes:
    out = io.BytesIO()
    parquet.write_table(table(), out, **options)
    return out.getvalue()


VALID = {
    "plain.parquet": written(compression="none", row_group_size=10),
    "packed.parquet": written(compression="zstd", data_page_version="2.0", write_page_checksum=True),
    "data.csv": b"id,text,score,day\n" + b"".join(b'%d,"a ""b"" %d",%d.5,2020-01-02\n' % (n, n, n) for n in ROWS),
    "data.jsonl": b"".join(
        b'{"a": %d, "b": [1, {"c": "\\u00e9"}], "d": {"e": %d.5, "f": null}}\n' % (n, n) for n in ROWS
    ),
}


@st.composite
def changed(draw: st.DrawFn) -> tuple[str, bytes]:
    """Draw a file's name, and its content with a few changes; most are near its end, where Parquet has its footer."""
    name = draw(st.sampled_from(sorted(VALID)))
    content = bytearray(VALID[name])
    for _ in range(draw(st.integers(1, 3))):
        back = draw(st.integers(0, len(content) - 1) | st.integers(0, min(len(content) - 1, 3000)))
        at = len(content) - 1 - back
        removed = draw(st.integers(0, 1) | st.integers(0, 30))
        added = draw(st.binary(min_size=removed, max_size=removed) | st.binary(max_size=8))
        content[at : at + removed] = added
    return name, bytes(content)


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(files=st.lists(changed(), min_size=1, max_size=8))
async def test_a_changed_file_is_shown_or_refused_for_a_reason_and_keeps_nobody_waiting(
    client: httpx.AsyncClient, cast: Cast, project_id: str, checking: Checking, files: list[tuple[str, bytes]]
) -> None:
    version = await new_version(client, cast.manager, project_id, uuid4().hex)
    for number, (name, content) in enumerate(files):
        await put(client, cast.manager, version, content or b"\n", name, f"changed{number}")
    await put(client, cast.manager, version, split="healthy")
    await checking.check()
    for file in await files_of(client, cast.manager, version):
        assert file["status"] in ({"ready"} if file["split"] == "healthy" else {"ready", "refused"})
        if file["status"] == "refused":
            assert file["reason"]
            assert file["reason"].isprintable()
            assert file["reason"] != UNREAD.reason
            continue
        preview = await client.get(f"{version}/files/{file['split']}/preview?rows=100", headers=cast.manager.headers)
        assert preview.status_code == 200, preview.text
        assert len(preview.json()["rows"]) == min(file["row_count"], 100)
        assert {name for row in preview.json()["rows"] for name in row} <= {
            column["name"] for column in file["columns"]
        }
