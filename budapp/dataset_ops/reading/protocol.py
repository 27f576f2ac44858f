"""What the service and the readers say to each other: one line of JSON each way.

Nothing here may import what takes long to load or reads settings.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import PurePath
from typing import Any, Literal

MAX_COLUMNS = 10_000
MAX_NAMES_CHARACTERS = 256 * 1024
MAX_ROW_BYTES = 16 * 1024 * 1024
PREVIEW_ROWS = 100
PREVIEW_BYTES = 1024 * 1024
CELL_CHARACTERS = 1000


class Format(StrEnum):
    CSV = "csv"
    JSONL = "jsonl"
    PARQUET = "parquet"


SUFFIXES = {".csv": Format.CSV, ".jsonl": Format.JSONL, ".ndjson": Format.JSONL, ".parquet": Format.PARQUET}


def format_of(file_name: str) -> Format | None:
    """Return the format that the name's ending stands for."""
    return SUFFIXES.get(PurePath(file_name).suffix.lower())


class UnreadableFile(Exception):
    """The content is not what the format asks for; the message says why and where, for the person who brought it."""


class StoreFailed(Exception):
    """The object store does not give the file out, which is not the file's fault."""


class FileGone(Exception):
    """The object store has no such file."""


@dataclass(frozen=True, slots=True)
class Task:
    """A file to read.

    Args:
        url: where it can be read, in ranges.
        size: its bytes.
        format: what it should be.
        seconds: how long reading may take.
        cpu_seconds: how much of a processor it may take.
        memory_bytes: how much memory it may take, with the reader's own.
    """

    url: str
    size: int
    format: Format
    seconds: int
    cpu_seconds: int
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class Column:
    """A column's name and the name of its Arrow type, `mixed` where rows differ."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class Row:
    """A row to show; `cut` names the columns of which only the beginning is there."""

    cells: dict[str, Any]
    cut: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Findings:
    """What is in a file; `checksum` is its SHA-256 in hexadecimal, `rows` are the first ones."""

    columns: list[Column]
    row_count: int
    checksum: str
    rows: list[Row]


Outcome = Literal["read", "refused", "gone", "store_failed", "failed", "died"]


@dataclass(frozen=True, slots=True)
class Report:
    """How reading a file ended.

    Args:
        outcome: `failed` is a fault of ours, `died` of nobody in particular.
        text: why, for a person where it was `refused`.
        signal: what ended the reader, where it `died`.
        findings: what was `read`.
    """

    outcome: Outcome
    text: str = ""
    signal: int = 0
    findings: Findings | None = None
