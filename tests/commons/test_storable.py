"""What comes from outside, as PostgreSQL can hold it."""

import json
from typing import Any

import pytest

from budapp.commons.storable import MAX_DEPTH, MAX_TEXT, _as_text, cleaned, fitting


def nested(levels: int) -> Any:
    value: Any = "x"
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("a\0b\ud800", "a\ufffdb\ufffd"),
        (float("nan"), None),
        (float("-inf"), None),
        (2**63, None),
        (2**63 - 1, 2**63 - 1),
        (-(2**63), -(2**63)),
        (-(2**63) - 1, None),
        (True, True),
        (None, None),
        (0.5, 0.5),
    ],
)
def test_a_value_is_kept_or_replaced_wherever_it_stands(value: Any, kept: Any) -> None:
    found, problem = cleaned({"a": [value]})
    assert found == {"a": [kept]}
    assert (problem is None) == (kept is value or kept == value)
    assert problem is None or problem.endswith(", at a.0")


def test_a_name_is_cleaned_too_and_the_first_problem_is_told() -> None:
    found, problem = cleaned({"a\0": 1, "b": float("inf")})
    assert found == {"a\ufffd": 1, "b": None}
    assert problem == "a character that can't be stored"


def test_what_is_nested_too_deep_is_cut() -> None:
    assert cleaned(nested(MAX_DEPTH)) == (nested(MAX_DEPTH), None)
    found, problem = cleaned(nested(10_000))
    assert json.dumps(found).count("[") == MAX_DEPTH
    assert problem is not None
    assert problem.startswith("nesting deeper than 64 levels")


def test_json_from_clients_is_refused_where_it_is_too_large_or_cant_be_stored() -> None:
    assert fitting("x" * 1022, 1024) == "x" * 1022
    for wrong in ("x" * 1023, "ä" * 512, "\0", {"a": float("nan")}):
        with pytest.raises(ValueError, match=r"takes more than|leave it out"):
            fitting(wrong, 1024)


def test_a_text_of_somebody_else_is_cut_and_made_a_text() -> None:
    assert _as_text("x" * (MAX_TEXT + 1)) == "x" * MAX_TEXT
    assert _as_text({"reason": "a\0"}) == '{"reason": "a\ufffd"}'
    assert _as_text(None) is None
