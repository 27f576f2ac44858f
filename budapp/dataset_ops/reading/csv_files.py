"""CSV (RFC 4180), with a header line, in UTF-8. Values stay as written."""

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Any

from budapp.dataset_ops.reading.cells import ELLIPSIS, Sample, show_json, written_number
from budapp.dataset_ops.reading.formats import check_names, columns_of, quoted
from budapp.dataset_ops.reading.protocol import MAX_ROW_BYTES, Findings, Row, UnreadableFile
from budapp.dataset_ops.reading.sources import BUFFER_BYTES, HashingStream, Source
from budapp.dataset_ops.reading.types import WrittenColumn

_CELLS_AT_ONCE = 50_000
_NUMBERS = frozenset({"int64", "double"})
_REASONS = {
    "unexpected end of data": "unclosed quotation mark",
    "field larger than": f"a cell is longer than {MAX_ROW_BYTES // 1024**2} MiB, or a quotation mark is unclosed",
    "expected after": "unexpected text after a closing quotation mark",
}


def examine_csv(source: Source) -> Findings:
    """Read the whole file.

    Raises:
        UnreadableFile, StoreFailed, FileGone: see the classes.
    """
    csv.field_size_limit(MAX_ROW_BYTES)
    with source.stream() as stream:
        reading = _Reading(stream)
        reading.run()
        return Findings(columns_of(reading.types()), reading.row_count, stream.checksum(), reading.rows())


class _Reading:
    """One way through a file."""

    def __init__(self, stream: HashingStream) -> None:
        self.row_count = 0
        self._stream = stream
        # What is no UTF-8 comes as lone surrogates, so that its place can be told.
        text = io.TextIOWrapper(io.BufferedReader(stream, BUFFER_BYTES), "utf-8-sig", "surrogateescape", newline="")
        self._rows = csv.reader(text, strict=True)
        self._names: list[str] = []
        self._columns: list[WrittenColumn] = []
        self._sample = Sample()

    def run(self) -> None:
        """Read to the end."""
        try:
            self._names = next((row for row in self._rows if row), [])
            self._check_header()
            self._columns = [WrittenColumn() for _ in self._names]
            for rows in self._batches():
                self._take(rows)
        except csv.Error as error:
            place = f"Row {self.row_count + 1}" if self._names else "The header line"
            raise UnreadableFile(f"{place}: {_reason(str(error))}") from error

    def types(self) -> dict[str, str]:
        """Return the type of each column."""
        return {name: column.type for name, column in zip(self._names, self._columns, strict=True)}

    def rows(self) -> list[Row]:
        """Return the first rows; numbers as numbers where the whole column has them."""
        types = self.types()
        return [
            Row({name: _typed(types[name], text) for name, text in row.cells.items()}, row.cut)
            for row in self._sample.rows
        ]

    def _check_header(self) -> None:
        if not self._names:
            raise UnreadableFile("The file is empty; it needs a header line")
        if not _is_text(self._names):
            raise UnreadableFile("The header line is not valid UTF-8")
        check_names(self._names)

    def _batches(self) -> Iterator[list[list[str]]]:
        """Go through the rows that are not empty, some at a time; also what comes before an error."""
        most_rows = max(1, _CELLS_AT_ONCE // len(self._names))
        rows: list[list[str]] = []
        full_at = self._stream.position + BUFFER_BYTES
        try:
            for row in self._rows:
                if row:
                    rows.append(row)
                if len(rows) >= most_rows or self._stream.position >= full_at:
                    yield rows
                    rows, full_at = [], self._stream.position + BUFFER_BYTES
        except csv.Error:
            yield rows
            raise
        yield rows

    def _take(self, rows: list[list[str]]) -> None:
        self._check_width(rows)
        for column, name, texts in zip(self._columns, self._names, zip(*rows, strict=True), strict=bool(rows)):
            if not _is_text(texts):
                number = next(number for number, text in enumerate(texts) if not _is_text([text]))
                place = f"Row {self.row_count + number + 1}, column {quoted(name)}"
                raise UnreadableFile(f"{place}: not valid UTF-8")
            column.take(texts)
        for row in rows:
            if self._sample.full:
                break
            self._sample.add(dict(zip(self._names, row, strict=True)), show_json)
        self.row_count += len(rows)

    def _check_width(self, rows: list[list[str]]) -> None:
        width = len(self._names)
        if set(map(len, rows)) - {width}:
            number, found = next((number, len(row)) for number, row in enumerate(rows, 1) if len(row) != width)
            raise UnreadableFile(f"Row {self.row_count + number} has {found} cells, but the header line has {width}")


def _is_text(texts: Iterable[str]) -> bool:
    try:
        "".join(texts).encode()
    except UnicodeEncodeError:
        return False
    return True


def _reason(message: str) -> str:
    return next((reason for part, reason in _REASONS.items() if part in message), "not valid CSV")


def _typed(kind: str, text: str) -> Any:
    if not text and kind != "string":
        return None
    if kind == "bool":
        return text.lower() == "true"
    if kind not in _NUMBERS or text.endswith(ELLIPSIS):
        return text
    number = written_number(text)
    return number if str(number) == text else text
