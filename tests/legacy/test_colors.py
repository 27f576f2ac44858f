"""Colors of the former service's tags: what is none gets the usual one."""

import re

import pytest

from budapp.legacy_ops.declarations import color_of


def test_a_color_is_kept() -> None:
    assert color_of("#FFC442") == "#FFC442"


@pytest.mark.parametrize("value", ["red", "", "#12", "FFC442", "#FFC44G", None, 7, ["#FFC442"]])
def test_what_is_no_color_becomes_the_usual_one(value: object) -> None:
    found = color_of(value)
    assert re.fullmatch(r"#[0-9A-Fa-f]{6}", found)
    assert found != value
