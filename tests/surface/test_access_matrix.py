"""Who gets what at each route: every caller sends every route a valid request on the real stack.

`access_matrix.txt` holds what is expected, to be read in review: a route each line, a caller each column. Write it anew
with `./deploy/run_tests.sh tests/surface --rewrite-access-matrix`, and read the difference.
"""

import fcntl
from pathlib import Path

import pytest

from tests.surface.callers import CALLERS
from tests.surface.requests import REQUESTS
from tests.surface.routes import ROUTES
from tests.surface.surface import Surface

FILE = Path(__file__).with_name("access_matrix.txt")
REQUESTS_FILE = Path(__file__).with_name("requests.py")


def read_matrix() -> dict[str, list[str]]:
    """Return operation → the expected status for each caller."""
    lines = [line.split() for line in FILE.read_text().splitlines()[1:]] if FILE.exists() else []
    return {f"{method} {path}": statuses for *statuses, method, path in lines}


def write_matrix(matrix: dict[str, list[str]]) -> None:
    """Write the file, sorted by path, each column as wide as its head."""
    lines = [f"{'  '.join(CALLERS)}  route"]
    for operation in sorted(matrix, key=lambda operation: operation.split()[::-1]):
        cells = (f"{status:>{len(name)}}" for name, status in zip(CALLERS, matrix[operation], strict=True))
        lines.append(f"{'  '.join(cells)}  {operation}")
    FILE.write_text("\n".join(lines) + "\n")


def rewrite(operation: str, statuses: list[str]) -> None:
    """Put the line in, and take out those of routes that are gone; workers wait for each other."""
    with REQUESTS_FILE.open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        kept = {name: row for name, row in read_matrix().items() if name in ROUTES and len(row) == len(CALLERS)}
        write_matrix(kept | {operation: statuses})


async def statuses_of(surface: Surface, operation: str) -> list[str]:
    """Return what each caller gets; whoever changes something leaves the next one everything as it was."""
    found = []
    for caller in CALLERS:
        answer = await surface.ask(operation, caller, surface.scene.here)
        found.append(str(answer.status_code))
        if answer.is_success and not operation.startswith("GET "):
            await surface.restore()
    return found


async def test_everyone_gets_what_the_matrix_says(
    surface: Surface, operation: str, request: pytest.FixtureRequest
) -> None:
    found = await statuses_of(surface, operation)
    assert any(status[0] in "23" for status in found), "a request with which nobody succeeds is not a valid one"
    if request.config.getoption("--rewrite-access-matrix"):
        rewrite(operation, found)
        return
    expected = read_matrix().get(operation)
    assert expected is not None, f"access_matrix.txt lacks: {operation} {' '.join(found)}"
    assert dict(zip(CALLERS, found, strict=True)) == dict(zip(CALLERS, expected, strict=True))


def test_the_matrix_names_every_route_and_no_other(request: pytest.FixtureRequest) -> None:
    if not request.config.getoption("--rewrite-access-matrix"):
        assert sorted(read_matrix()) == sorted(ROUTES)
        assert FILE.read_text().split()[: len(CALLERS)] == list(CALLERS)


def test_every_declared_request_is_one_to_a_route() -> None:
    assert set(REQUESTS) <= set(ROUTES)


def test_a_route_with_a_body_has_a_declared_request() -> None:
    without = [name for name, route in ROUTES.items() if route.body_field is not None and name not in REQUESTS]
    assert not without, f"say in tests/surface/requests.py how to ask these: {without}"
