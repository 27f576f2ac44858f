"""The requests that are measured, and what is asked of each: a new one is a line or three."""

from dataclasses import dataclass
from typing import Any

from benchmarks.ground import TenantGround

SMALL, LARGE = 200, 20_000


@dataclass(frozen=True)
class Case:
    """One request.

    Args:
        path: what is asked for; `{project_id}`, `{user_id}` and `{model_id}` are the newest of the tenant's.
        answer: how the floor makes its answer of the rows: a function of `benchmarks.answers`, by name; empty where the
            request is only checked, and not measured.
        rows: of the tenant with so many projects, people, models and workflows.
        least: the share of the floor's requests per second that it must reach.
        spread: p99 must not be more than so many times p50.
        statements: how many it may send.
        posts: whether it makes a project rather than reads.
    """

    path: str
    answer: str
    rows: int = SMALL
    least: float | None = 0.8
    spread: float = 3.0
    statements: int = 1
    posts: bool = False

    @property
    def name(self) -> str:
        """Return how tables call it."""
        path = self.path.partition("?")[0]
        of = f" of {self.rows:,}" if "?" in self.path or path.endswith("permissions") else ""
        searched = " searched" if "search=true" in self.path else ""
        return f"{'POST' if self.posts else 'GET'} {path}{of}{searched}"

    def on(self, tenants: dict[int, TenantGround]) -> "Target":
        """Return the request itself."""
        tenant = tenants[self.rows]
        return Target(self, tenant, self.path.format(**tenant.ids))


@dataclass(frozen=True)
class Target:
    """A case, with the tenant and the path that it has in this run."""

    case: Case
    tenant: TenantGround
    path: str

    @property
    def headers(self) -> dict[str, str]:
        """Return who asks."""
        return {"Authorization": f"Bearer {self.tenant.token}"}

    def body(self, name: str) -> dict[str, Any] | None:
        """Return what is posted, under a name that must be new."""
        return {"name": name} if self.case.posts else None


_LISTS = {
    "/projects/?page=1&limit=10": "projects",
    "/users/?page=1&limit=10": "users",
    "/models/?table_source=model&page=1&limit=10": "models",
    "/workflows?page=1&limit=10": "workflows",
}

CASES = [
    Case("/users/me", "me", least=1.2, statements=0),
    *(Case(path, answer, rows) for path, answer in _LISTS.items() for rows in (SMALL, LARGE)),
    Case("/projects/?page=1&limit=10&search=true&name=7", "projects", LARGE, least=None),
    Case("/projects/{project_id}", "project", LARGE),
    Case("/users/{user_id}", "", LARGE, least=None),
    Case("/models/{model_id}", "", LARGE, least=None, statements=2),
    Case("/models/tags?limit=10", "", SMALL, least=None),
    Case("/users/me/permissions", "permissions", least=0.6),
    Case("/projects/", "created", least=0.5, spread=4.0, statements=6, posts=True),
]


def targets(tenants: dict[int, TenantGround], only: str = "") -> list[Target]:
    """Return the cases whose names hold the text, the one that adds rows last."""
    return [case.on(tenants) for case in CASES if only in case.name]
