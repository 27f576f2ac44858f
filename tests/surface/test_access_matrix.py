"""Who gets what at each route: every caller sends every route a valid request on the real stack.

The `access_matrix.txt` beside each share holds what is expected, to be read in review: a route each line, a caller each
column. Write them anew with `./deploy/run_tests.sh tests/surface --rewrite-access-matrix`, and read the difference.
"""

import pytest

from tests.surface.callers import CALLERS
from tests.surface.matrix import SHARE_OF, file_of, read_matrix, render, rewrite
from tests.surface.published import check_headers
from tests.surface.requests import REQUESTS
from tests.surface.routes import ROUTES
from tests.surface.share import Share
from tests.surface.shares import SHARES, operations_of
from tests.surface.surface import Surface


async def statuses_of(surface: Surface, operation: str) -> list[str]:
    """Return what each caller gets; whoever changes something leaves the next one everything as it was."""
    found = []
    for caller in CALLERS:
        answer = await surface.ask(operation, caller, surface.scene.here)
        check_headers(operation, answer)
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
    expected = read_matrix(SHARE_OF[operation]).get(operation)
    assert expected is not None, f"access_matrix.txt lacks: {operation} {' '.join(found)}"
    assert dict(zip(CALLERS, found, strict=True)) == dict(zip(CALLERS, expected, strict=True))


@pytest.mark.parametrize("share", SHARES, ids=lambda share: share.domain)
def test_the_matrix_names_every_route_and_no_other(share: Share, request: pytest.FixtureRequest) -> None:
    if operations_of(share) and not request.config.getoption("--rewrite-access-matrix"):
        matrix = read_matrix(share)
        assert matrix.keys() == operations_of(share)
        assert file_of(share).read_text() == render(matrix)


def test_every_declared_request_is_one_to_a_route() -> None:
    assert set(REQUESTS) <= set(ROUTES)


def test_a_route_with_a_body_has_a_declared_request() -> None:
    without = [name for name, route in ROUTES.items() if route.body_field is not None and name not in REQUESTS]
    assert not without, f"say in the domain's share how to ask these: {without}"
