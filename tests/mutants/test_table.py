"""Every defect of the table can still be planted, in one place, and the tests that are to find it are there."""

from pathlib import Path

from tests.failures import failures
from tests.mutants.table import MUTANTS


def test_every_place_is_still_there_once(root: Path) -> None:
    with failures() as failed:
        for mutant in MUTANTS:
            text = (root / mutant.file).read_text()
            with failed(mutant.name):
                assert text.count(mutant.before) == 1, f"{text.count(mutant.before)} places; mend the table"
                compile(text.replace(mutant.before, mutant.after), mutant.file, "exec")
                assert all((root / test).exists() for test in mutant.tests if test.startswith("tests/"))


def test_no_defect_is_listed_twice() -> None:
    assert len({(mutant.file, mutant.before, mutant.after) for mutant in MUTANTS}) == len(MUTANTS)
