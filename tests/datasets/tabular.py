"""Files for tests, good and bad ones."""

import io
from typing import Any

import pyarrow as pa
from pyarrow import parquet as arrow_parquet


def parquet(array: Any, name: str = "a", **options: Any) -> bytes:
    """Return a Parquet file with one column."""
    out = io.BytesIO()
    arrow_parquet.write_table(pa.table({name: array}), out, **options)
    return out.getvalue()


GOOD = parquet(pa.array([1, 2, 3]))
_FOOTER = int.from_bytes(GOOD[-8:-4], "little")

BROKEN_FOOTER = GOOD[: -8 - _FOOTER] + b"\xff" * _FOOTER + GOOD[-8:]
ENCRYPTED = b"PARE" + bytes(20) + b"PARE"
BOMB = parquet(pa.array(["x" * 1_000_000] * 100), compression="zstd")


def damaged_page() -> bytes:
    """Return a Parquet file in which a page has another checksum than it says."""
    content = bytearray(parquet(pa.array(range(10_000)), compression="none", write_page_checksum=True))
    content[len(content) // 2] ^= 255
    return bytes(content)


def repeated_member() -> bytes:
    """Return a Parquet file of structs with two members of one name."""
    return parquet(pa.StructArray.from_arrays([pa.array([1]), pa.array([2])], names=["x", "x"]))
