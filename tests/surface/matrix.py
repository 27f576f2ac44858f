"""The access matrix: what each caller gets at each route, read from the `access_matrix.txt` beside each share."""

import fcntl
from functools import cache
from pathlib import Path

from tests.surface.callers import CALLERS
from tests.surface.share import Share
from tests.surface.shares import FOLDERS, SHARES, operations_of

SHARE_OF = {operation: share for share in SHARES for operation in operations_of(share)}

Matrix = dict[str, list[str]]
"""Operation → the expected status for each caller."""


def file_of(share: Share) -> Path:
    return FOLDERS[share] / "access_matrix.txt"


def read_matrix(share: Share) -> Matrix:
    """Return what is expected at the routes of the share's domain."""
    return parse_matrix(file_of(share))


def parse_matrix(file: Path) -> Matrix:
    """Return what the file says; nothing where there is none."""
    lines = [line.split() for line in file.read_text().splitlines()[1:]] if file.exists() else []
    return {f"{method} {path}": statuses for *statuses, method, path in lines}


def render(matrix: Matrix) -> str:
    """Return the file's text: sorted by path, each column as wide as its head."""
    lines = [f"{'  '.join(CALLERS)}  route"]
    for operation in sorted(matrix, key=lambda operation: operation.split()[::-1]):
        cells = (f"{status:>{len(name)}}" for name, status in zip(CALLERS, matrix[operation], strict=True))
        lines.append(f"{'  '.join(cells)}  {operation}")
    return "\n".join(lines) + "\n"


def rewrite(operation: str, statuses: list[str]) -> None:
    """Put the line in, and take out those of routes that are gone; workers wait for each other."""
    share = SHARE_OF[operation]
    with (FOLDERS[share] / "surface.py").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        matrix = read_matrix(share) | {operation: statuses}
        kept = {name: row for name, row in matrix.items() if name in operations_of(share) and len(row) == len(CALLERS)}
        file_of(share).write_text(render(kept))


@cache
def _expected() -> Matrix:
    return {operation: row for share in SHARES for operation, row in read_matrix(share).items()}


def expected_at(operation: str) -> dict[str, str]:
    """Return the status that each caller gets at the route; nothing where the matrix lacks it."""
    return dict(zip(CALLERS, _expected().get(operation, ()), strict=False))


def succeeds(operation: str, caller: str) -> bool:
    """Tell whether the caller's valid request to the route succeeds."""
    return expected_at(operation).get(caller, "").startswith("2")


def owner_of(operation: str) -> str:
    """Return who succeeds at the route by the matrix: the super administrator, or else the owner of what is private."""
    return "super_admin" if succeeds(operation, "super_admin") else "admin"
