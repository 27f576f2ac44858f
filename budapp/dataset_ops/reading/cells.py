"""Values as a preview shows them: what the file has, as JSON can carry it, and not too long.

A number that JSON's readers would round, or that JSON lacks, is a text: the digits, `NaN`, `Infinity`. What is cut ends
in an ellipsis.
"""

import base64
import math
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

import pyarrow as pa
from pydantic_core import to_json

from budapp.dataset_ops.reading.protocol import CELL_CHARACTERS, PREVIEW_BYTES, PREVIEW_ROWS, Row, UnreadableFile

ELLIPSIS = "…"
_EXACT = 2**53
_FEWEST_CHARACTERS = 16
_SECONDS_PER_UNIT = {"s": 0, "ms": -3, "us": -6, "ns": -9}


class Cell:
    """Room for one value; `cut` tells whether all of it went in."""

    def __init__(self, characters: int) -> None:
        self._left = characters
        self.cut = False

    def text(self, value: str) -> str:
        """Return the text, or its beginning."""
        if len(value) <= self._left:
            self._left -= len(value)
            return value
        shown, self._left, self.cut = value[: self._left] + ELLIPSIS, 0, True
        return shown

    def items(self, values: Iterable[Any], show: Callable[[Any, "Cell"], Any]) -> list[Any]:
        """Return the values, as many as there is room for."""
        shown: list[Any] = []
        for value in values:
            if not self._takes(1):
                return [*shown, ELLIPSIS]
            shown.append(show(value, self))
        return shown

    def members(self, pairs: Iterable[tuple[str, Any]], show: Callable[[Any, "Cell"], Any]) -> dict[str, Any]:
        """Return the named values, as many as there is room for."""
        shown: dict[str, Any] = {}
        for name, value in pairs:
            if not self._takes(len(name) + 1):
                return {**shown, ELLIPSIS: ELLIPSIS}
            shown[name] = show(value, self)
        return shown

    def bytes(self, value: pa.Buffer) -> str:
        """Return the bytes in base64, or their beginning."""
        return self.text(base64.b64encode(value[: self._left + 3]).decode())

    def characters(self, value: pa.Buffer) -> str:
        """Return what the UTF-8 says, or its beginning, without decoding more than that."""
        return self.text(value[: self._left * 4 + 4].to_pybytes().decode(errors="ignore"))

    def _takes(self, characters: int) -> bool:
        if characters > self._left:
            self.cut = True
            return False
        self._left -= characters
        return True


class Sample:
    """The first rows of a file, as many as a preview may have."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.full = False
        self._bytes = 0

    def add(self, cells: dict[str, Any], show: Callable[[Any, Cell], Any]) -> None:
        """Show the row unless there is no more room."""
        if self.full:
            return
        room = max(_FEWEST_CHARACTERS, min(CELL_CHARACTERS, PREVIEW_BYTES // 20 // max(1, len(cells))))
        shown, cut = {}, []
        for name, value in cells.items():
            cell = Cell(room)
            shown[name] = show(value, cell)
            if cell.cut:
                cut.append(name)
        self._bytes += len(to_json(shown))
        if self._bytes <= PREVIEW_BYTES or not self.rows:
            self.rows.append(Row(shown, cut))
        self.full = self._bytes >= PREVIEW_BYTES or len(self.rows) >= PREVIEW_ROWS


def whole_number(value: int) -> int | str:
    """Return the number, as a text where a reader of JSON would round it."""
    return value if abs(value) <= _EXACT else str(value)


def real_number(value: float) -> float | str:
    """Return the number, as a text where JSON has none like it."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def written_number(text: str) -> float | int | str:
    """Return the number that the text stands for, or the text itself where a number would not say the same."""
    if len(text) > 40:
        return text
    if text.lstrip("-").isdecimal():
        number = int(text)
        return number if abs(number) <= _EXACT else text
    real = float(text)
    return real if math.isfinite(real) and Decimal(repr(real)) == Decimal(text) else text


def show_json(value: Any, cell: Cell) -> Any:
    """Show what a JSON parser returned."""
    if isinstance(value, str):
        return cell.text(value)
    if isinstance(value, list):
        return cell.items(value, show_json)
    if isinstance(value, dict):
        return cell.members(value.items(), show_json)
    return value


def show_arrow(scalar: pa.Scalar, cell: Cell) -> Any:
    """Show a scalar of any Arrow type.

    Raises:
        UnreadableFile: there is no way to show it.
    """
    if not scalar.is_valid:
        return None
    for applies, show in _BY_TYPE:
        if applies(scalar.type):
            return show(scalar, cell)
    raise UnreadableFile(f"Values of the type {scalar.type} can't be shown")


def _members(scalar: pa.StructScalar, cell: Cell) -> Any:
    fields = (scalar.type.field(number) for number in range(scalar.type.num_fields))
    return cell.members(((field.name, scalar[number]) for number, field in enumerate(fields)), show_arrow)


def _pairs(scalar: pa.MapScalar, cell: Cell) -> Any:
    return cell.items(scalar.values, lambda pair, cell: cell.items(pair.values(), show_arrow))


def _moment(scalar: pa.TimestampScalar, cell: Cell) -> Any:
    """Show the wall clock, or with a zone the instant in UTC; zones need not be known."""
    text = pa.scalar(scalar.value, pa.timestamp(scalar.type.unit)).cast(pa.string()).as_py()
    if text.startswith("<"):
        return cell.text(f"{scalar.value} {scalar.type.unit} since 1970-01-01")
    return cell.text(text.replace(" ", "T") + ("Z" if scalar.type.tz else ""))


def _date(scalar: pa.Scalar, cell: Cell) -> Any:
    text = scalar.cast(pa.string()).as_py()
    unit = "days" if pa.types.is_date32(scalar.type) else "ms"
    return cell.text(f"{scalar.value} {unit} since 1970-01-01" if text.startswith("<") else text)


def _time(scalar: pa.Scalar, cell: Cell) -> Any:
    text = scalar.cast(pa.string()).as_py()
    return cell.text(f"{scalar.value} {scalar.type.unit}" if text.startswith("<") else text)


def _duration(scalar: pa.DurationScalar, cell: Cell) -> Any:
    return cell.text(f"PT{Decimal(scalar.value).scaleb(_SECONDS_PER_UNIT[scalar.type.unit]):f}S")


def _interval(scalar: pa.MonthDayNanoIntervalScalar, cell: Cell) -> Any:
    months, days, nanoseconds = scalar.as_py()
    return cell.text(f"P{months}M{days}DT{Decimal(nanoseconds).scaleb(-9):f}S")


def _is_list(kind: pa.DataType) -> bool:
    tests = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    return any(test(kind) for test in (*tests, pa.types.is_list_view, pa.types.is_large_list_view))


def _is_text(kind: pa.DataType) -> bool:
    return any(test(kind) for test in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view))


def _is_bytes(kind: pa.DataType) -> bool:
    tests = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary, pa.types.is_binary_view)
    return any(test(kind) for test in tests)


_BY_TYPE: list[tuple[Callable[[pa.DataType], bool], Callable[[Any, Cell], Any]]] = [
    (pa.types.is_boolean, lambda scalar, _: scalar.as_py()),
    (pa.types.is_integer, lambda scalar, _: whole_number(scalar.as_py())),
    (pa.types.is_floating, lambda scalar, _: real_number(float(scalar.as_py()))),
    (pa.types.is_decimal, lambda scalar, cell: cell.text(str(scalar.as_py()))),
    (_is_text, lambda scalar, cell: cell.characters(scalar.as_buffer())),
    (_is_bytes, lambda scalar, cell: cell.bytes(scalar.as_buffer())),
    (pa.types.is_timestamp, _moment),
    (pa.types.is_date, _date),
    (pa.types.is_time, _time),
    (pa.types.is_duration, _duration),
    (pa.types.is_interval, _interval),
    (_is_list, lambda scalar, cell: cell.items(scalar.values, show_arrow)),
    (pa.types.is_map, _pairs),
    (pa.types.is_struct, _members),
    (pa.types.is_dictionary, lambda scalar, cell: show_arrow(scalar.value, cell)),
    (lambda kind: isinstance(kind, pa.BaseExtensionType), lambda scalar, cell: show_arrow(scalar.value, cell)),
]
