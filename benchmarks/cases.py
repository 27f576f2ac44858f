"""The requests that are measured, and what is asked of each."""

from dataclasses import dataclass

from benchmarks.ground import TenantGround

LISTED = "/projects/?page=1&limit=10"


@dataclass(frozen=True)
class Case:
    """One request.

    Args:
        name: how the table calls it.
        path: what is asked for.
        token: the access token that it is asked with.
        least: the share of the floor's requests per second that it must reach.
        posts: whether it makes a project rather than reads.
    """

    name: str
    path: str
    token: str
    least: float | None = None
    posts: bool = False


def cases_on(small: TenantGround, large: TenantGround) -> list[Case]:
    """Return the cases, the one that adds rows last."""
    return [
        Case("GET /users/me", "/users/me", small.token, least=1.0),
        Case("GET /projects/ of 200", LISTED, small.token, least=0.5),
        Case("GET /projects/ of 20,000", LISTED, large.token, least=0.5),
        Case("GET /projects/{id}", f"/projects/{large.project_id}", large.token),
        Case("POST /projects/", "/projects/", small.token, posts=True),
    ]
