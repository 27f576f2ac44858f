"""CSV as spreadsheets read it."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budapp.commons.spreadsheets import csv_line

TEXTS = st.text(st.sampled_from("=+-@\uff1d\t\r\n \",'ab"))


@pytest.mark.parametrize("cell", ["=1", "+1", "-1", "@x", "\tx", "\rx", " =1", "\uff1d1"])
def test_a_cell_that_begins_like_a_formula_is_none(cell: str) -> None:
    assert csv_line([cell]).decode().lstrip('"').startswith("'")


@given(st.lists(TEXTS, min_size=2, max_size=5))
def test_cells_come_back_as_they_were_and_no_line_break_begins_a_row(cells: list[str]) -> None:
    line = csv_line(cells).decode()
    rows = list(csv.reader(io.StringIO(line, newline="")))
    assert [[cell.removeprefix("'") for cell in row] for row in rows] == [[cell.removeprefix("'") for cell in cells]]
    unquoted = line.removesuffix("\r\n").split('"')[::2]
    assert not any("\r" in part or "\n" in part for part in unquoted)
