"""Python's garbage collector in the tests: off until they are collected, and then not concerned with what is there."""

import gc

import pytest

from budapp.commons.garbage import freeze_heap, grow_heap


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests() -> None:
    grow_heap()


def pytest_collection_finish() -> None:
    freeze_heap()


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish() -> None:
    gc.unfreeze()  # Hypothesis, imported for its summary, looks for objects that a frozen heap hides
