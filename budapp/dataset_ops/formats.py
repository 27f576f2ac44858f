"""What is in a file of tabular data: its columns, its rows, the first few of them.

Everything here blocks and reads as a stream; call it in a thread. CSV (RFC 4180, with a header line), JSON lines, and
Apache Parquet are known.
"""

import hashlib
import io
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from pathlib import PurePath
from typing import Any, BinaryIO

import pyarrow as pa
from pyarrow import csv, parquet
from pydantic_core import from_json, to_jsonable_python

_BLOCK_BYTES = 1024 * 1024
_MAX_LINE_BYTES = 16 * 1024 * 1024
_MAX_COLUMNS = 10_000
_SAMPLED_ROWS = 1000


class Format(StrEnum):
    CSV = "csv"
    JSONL = "jsonl"
    PARQUET = "parquet"


SUFFIXES = {".csv": Format.CSV, ".jsonl": Format.JSONL, ".ndjson": Format.JSONL, ".parquet": Format.PARQUET}


class UnreadableFile(Exception):
    """The content is not what the format asks for; the message says why, for the person who brought it."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column's name and the name of its Arrow type, `mixed` where rows differ."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class Details:
    """What was found in a file; `checksum` is its SHA-256 in hexadecimal."""

    columns: list[Column]
    row_count: int
    checksum: str


@dataclass(frozen=True, slots=True)
class Source:
    """A stored file: its size, and how to open it from an offset on (`length` 0: to the end)."""

    size: int
    open: Callable[[int, int], AbstractContextManager[BinaryIO]]


def format_of(file_name: str) -> Format | None:
    """Return the format that the name's ending stands for."""
    return SUFFIXES.get(PurePath(file_name).suffix.lower())


def examine(source: Source, format: Format) -> Details:
    """Read the whole file.

    Raises:
        UnreadableFile: see the class.
    """
    with _explained():
        reader = _READERS[format](source)
        columns = reader.columns()
        names = [column.name for column in columns]
        if not names or len(names) > _MAX_COLUMNS:
            raise UnreadableFile(f"There must be 1 to {_MAX_COLUMNS} columns")
        if len(set(names)) < len(names):
            raise UnreadableFile("Two columns have the same name")
        row_count, checksum = reader.count()
        return Details(columns, row_count, checksum)


def preview(source: Source, format: Format, rows: int) -> list[dict[str, Any]]:
    """Return the first rows, with values that JSON can carry.

    Raises:
        UnreadableFile: see the class.
    """
    with _explained():
        found = list(islice(_READERS[format](source).rows(), rows))
        return [to_jsonable_python(row, bytes_mode="base64") for row in found]


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, ValueError) as error:
        raise UnreadableFile(f"The content could not be read: {str(error)[:300]}") from error


class _Hashing(io.RawIOBase):
    """Passes a stream on and keeps the SHA-256 of what went by."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._hash = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        self._hash.update(data)
        return len(data)

    def checksum(self) -> str:
        """Read what is left, and return the sum of all."""
        while self.read(_BLOCK_BYTES):
            pass
        return self._hash.hexdigest()


class _Ranged(io.RawIOBase):
    """A stored file that can be read at any place, a range at a time."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._source.size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def readinto(self, buffer: Any) -> int:
        length = min(len(buffer), self._source.size - self._position)
        if length <= 0:
            return 0
        with self._source.open(self._position, length) as stream:
            data = stream.read(length)
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)


class _Reader(ABC):
    """Reads one format."""

    def __init__(self, source: Source) -> None:
        self.source = source

    @abstractmethod
    def columns(self) -> list[Column]:
        """Return the columns, going by the beginning of the file."""

    @abstractmethod
    def count(self) -> tuple[int, str]:
        """Return the number of rows and the checksum, having read all of it."""

    @abstractmethod
    def rows(self) -> Iterator[dict[str, Any]]:
        """Go through the rows at the beginning of the file."""


class _Csv(_Reader):
    _parsing = csv.ParseOptions(newlines_in_values=True)

    def columns(self) -> list[Column]:
        with self.source.open(0, 0) as stream:
            return _columns_of(self._read(stream).schema)

    def count(self) -> tuple[int, str]:
        # Types are guessed from the beginning; what follows need not keep to them, so all is read as text.
        texts = csv.ConvertOptions(column_types={column.name: pa.string() for column in self.columns()})
        with self.source.open(0, 0) as stream:
            hashing = _Hashing(stream)
            row_count = sum(batch.num_rows for batch in self._read(io.BufferedReader(hashing, _BLOCK_BYTES), texts))
            return row_count, hashing.checksum()

    def rows(self) -> Iterator[dict[str, Any]]:
        with self.source.open(0, 0) as stream:
            for batch in self._read(stream):
                yield from batch.to_pylist()

    def _read(self, stream: BinaryIO, conversion: csv.ConvertOptions | None = None) -> csv.CSVStreamingReader:
        reading = csv.ReadOptions(block_size=_BLOCK_BYTES)
        source = pa.PythonFile(stream, mode="r")
        return csv.open_csv(source, read_options=reading, parse_options=self._parsing, convert_options=conversion)


class _JsonLines(_Reader):
    def columns(self) -> list[Column]:
        sample = list(islice(self.rows(), _SAMPLED_ROWS))
        names = dict.fromkeys(name for row in sample for name in row)
        return [Column(name, _type_of([row.get(name) for row in sample])) for name in names]

    def count(self) -> tuple[int, str]:
        with self.source.open(0, 0) as stream:
            hashing = _Hashing(stream)
            return sum(1 for _ in self._parsed(io.BufferedReader(hashing, _BLOCK_BYTES))), hashing.checksum()

    def rows(self) -> Iterator[dict[str, Any]]:
        with self.source.open(0, 0) as stream:
            yield from self._parsed(io.BufferedReader(_Hashing(stream), _BLOCK_BYTES))

    def _parsed(self, lines: io.BufferedReader) -> Iterator[dict[str, Any]]:
        number = 0
        while line := lines.readline(_MAX_LINE_BYTES):
            number += 1
            if len(line) == _MAX_LINE_BYTES:
                raise UnreadableFile(f"Line {number} is longer than {_MAX_LINE_BYTES} bytes")
            if not line.strip():
                continue
            row = from_json(line, allow_inf_nan=False)
            if not isinstance(row, dict):
                raise UnreadableFile(f"Line {number} is not a JSON object")
            yield row


class _Parquet(_Reader):
    def columns(self) -> list[Column]:
        return _columns_of(self._file().schema_arrow)

    def count(self) -> tuple[int, str]:
        with self.source.open(0, 0) as stream:
            checksum = _Hashing(stream).checksum()
        return self._file().metadata.num_rows, checksum

    def rows(self) -> Iterator[dict[str, Any]]:
        for batch in self._file().iter_batches(batch_size=100):
            yield from batch.to_pylist()

    def _file(self) -> parquet.ParquetFile:
        buffered = io.BufferedReader(_Ranged(self.source), _BLOCK_BYTES)
        return parquet.ParquetFile(pa.PythonFile(buffered, mode="r"))


_READERS: dict[Format, type[_Reader]] = {Format.CSV: _Csv, Format.JSONL: _JsonLines, Format.PARQUET: _Parquet}


def _columns_of(schema: pa.Schema) -> list[Column]:
    return [Column(field.name, str(field.type)) for field in schema]


def _type_of(values: list[Any]) -> str:
    try:
        return str(pa.infer_type(values))
    except pa.ArrowException:
        return "mixed"
