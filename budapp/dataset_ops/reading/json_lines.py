"""JSON lines: an object in each line, in UTF-8."""

import io
import json
import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from pydantic_core import from_json

from budapp.dataset_ops.reading.cells import Sample, show_json, written_number
from budapp.dataset_ops.reading.formats import check_names, columns_of
from budapp.dataset_ops.reading.protocol import MAX_COLUMNS, MAX_ROW_BYTES, Findings, UnreadableFile
from budapp.dataset_ops.reading.sources import BUFFER_BYTES, HashingStream, Source
from budapp.dataset_ops.reading.types import ParsedColumn

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_OTHER_ENCODINGS = (b"\xff\xfe", b"\xfe\xff")
_ROWS_AT_ONCE = 1000
_PLACE = re.compile(r"(.*) at line \d+ column (\d+)$", re.DOTALL)


def examine_json_lines(source: Source) -> Findings:
    """Read the whole file.

    Raises:
        UnreadableFile, StoreFailed, FileGone: see the classes.
    """
    with source.stream() as stream:
        reading = _Reading()
        reading.run(stream)
        types = {name: column.type for name, column in reading.columns.items()}
        check_names(list(types))
        return Findings(columns_of(types), reading.row_count, stream.checksum(), reading.sample.rows)


class _Reading:
    """One way through a file."""

    def __init__(self) -> None:
        self.columns: dict[str, ParsedColumn] = {}
        self.sample = Sample()
        self.row_count = 0
        self._waiting: defaultdict[str, list[Any]] = defaultdict(list)
        self._waiting_rows = 0
        self._waiting_bytes = 0

    def run(self, stream: HashingStream) -> None:
        """Read to the end."""
        for number, line in _lines(stream):
            self._take(_parsed(number, line), line)
        self._settle()

    def _take(self, row: dict[str, Any], line: bytes) -> None:
        self.row_count += 1
        for name, value in row.items():
            self._waiting[name].append(value)
        if not self.sample.full:
            self.sample.add(_as_written(line), show_json)
        self._waiting_rows += 1
        self._waiting_bytes += len(line)
        if self._waiting_rows >= _ROWS_AT_ONCE or self._waiting_bytes >= BUFFER_BYTES:
            self._settle()

    def _settle(self) -> None:
        for name, values in self._waiting.items():
            self.columns.setdefault(name, ParsedColumn()).take(values)
        self._waiting.clear()
        self._waiting_rows = self._waiting_bytes = 0
        if len(self.columns) > MAX_COLUMNS:
            check_names(list(self.columns))


def _lines(stream: HashingStream) -> Iterator[tuple[int, bytes]]:
    """Go through the lines that are not blank, with their numbers from 1 on, without a byte-order mark."""
    buffered = io.BufferedReader(stream, BUFFER_BYTES)
    number = 0
    while line := buffered.readline(MAX_ROW_BYTES + 1):
        number += 1
        if len(line) > MAX_ROW_BYTES:
            raise UnreadableFile(f"Line {number} is longer than {MAX_ROW_BYTES // 1024**2} MiB")
        if number == 1:
            line = line.removeprefix(_BYTE_ORDER_MARK)
        if line := line.strip():
            yield number, line


def _parsed(number: int, line: bytes) -> dict[str, Any]:
    try:
        row = from_json(line, allow_inf_nan=False)
    except ValueError as error:
        if number == 1 and line.startswith(_OTHER_ENCODINGS):
            raise UnreadableFile("The file is not encoded in UTF-8") from error
        found = _PLACE.match(str(error))
        place = f", character {found[2]}: {found[1]}" if found else ": not valid JSON"
        raise UnreadableFile(f"Line {number}{place}") from error
    if not isinstance(row, dict):
        raise UnreadableFile(f"Line {number} is not a JSON object")
    return row


def _as_written(line: bytes) -> dict[str, Any]:
    """Return the row with numbers that say what the file says."""
    row: dict[str, Any] = json.loads(line, parse_int=written_number, parse_float=written_number)
    return row
