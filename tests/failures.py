"""One test over many cases that share what it set up: all of them are tried, and each failure names its case."""

from collections.abc import Iterator
from contextlib import contextmanager


class Failures:
    """Used as `with failures() as failed: for ...: with failed(case): assert ...`."""

    def __init__(self) -> None:
        self._found: list[str] = []

    @contextmanager
    def __call__(self, case: str) -> Iterator[None]:
        """Go on after an assertion that does not hold of the case; anything else that is raised is told its name."""
        try:
            yield
        except AssertionError as error:
            self._found.append(f"{case}: {error}")
        except Exception as error:
            error.add_note(f"case: {case}")
            raise

    def check(self) -> None:
        """Fail with everything that was found."""
        if self._found:
            raise AssertionError(f"{len(self._found)} failed\n" + "\n".join(self._found))


@contextmanager
def failures() -> Iterator[Failures]:
    """Fail at the end of the block with all that did not hold in it."""
    found = Failures()
    yield found
    found.check()
