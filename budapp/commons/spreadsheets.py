"""CSV for people, who open it in a spreadsheet: the one writer for every export."""

import csv
import io
from collections.abc import Iterable

_FORMULA_SIGNS = frozenset("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")


def csv_line(cells: Iterable[str]) -> bytes:
    """Return a line of CSV (RFC 4180) in which no cell, and no line within a cell, is taken for a formula.

    A cell that begins like a formula gets an apostrophe in front.
    """
    line = io.StringIO()
    # Python quotes whatever is part of the line terminator: with CRLF also a lone CR, at which spreadsheets break rows.
    csv.writer(line, lineterminator="\r\n").writerow(_harmless(cell) for cell in cells)
    return line.getvalue().encode()


def _harmless(cell: str) -> str:
    return f"'{cell}" if cell.lstrip(" ")[:1] in _FORMULA_SIGNS else cell
