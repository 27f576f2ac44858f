"""Values of the former service: what is not of their kind becomes what can be shown."""

import re
from typing import Any

import pytest

from budapp.legacy_ops.declarations import color_of, texts


def test_a_color_is_kept() -> None:
    assert color_of("#FFC442") == "#FFC442"


@pytest.mark.parametrize("value", ["red", "", "#12", "FFC442", "#FFC44G", None, 7, ["#FFC442"]])
def test_what_is_no_color_becomes_the_usual_one(value: object) -> None:
    found = color_of(value)
    assert re.fullmatch(r"#[0-9A-Fa-f]{6}", found)
    assert found != value


@pytest.mark.parametrize(
    ("old", "new"), [(None, None), ([], []), (["a", 1], ["a", "1"]), ("a", ["a"]), ({"a": 1}, ["{'a': 1}"])]
)
def test_a_list_of_texts_is_one_whatever_it_was(old: object, new: list[str] | None) -> None:
    row: Any = {"languages": old}
    assert texts("languages")(row) == new
