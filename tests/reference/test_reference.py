"""The pages of docs/reference say what the code does."""

from collections.abc import Callable

import pytest

from budapp.commons.config import Settings
from tests.reference.pages import FOLDER, PAGES


@pytest.mark.parametrize(("name", "render"), PAGES.items(), ids=list(PAGES))
def test_a_page_is_current(name: str, render: Callable[[], str]) -> None:
    assert (FOLDER / name).read_text() == render(), "run: .venv/bin/python -m tests.reference"


def test_every_page_is_generated() -> None:
    assert {path.name for path in FOLDER.iterdir()} == set(PAGES)


def test_every_setting_says_what_it_is_for() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []
