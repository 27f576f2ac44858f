"""The scopes of each role, and what each route asks for."""

import json
from itertools import groupby
from pathlib import Path
from typing import Any

from budapp.commons.scopes import (
    CLIENT_SCOPES,
    GLOBAL_SCOPES,
    PLATFORM_SCOPES,
    PROJECT_SCOPES,
    ROLE_GRANTABLE,
    ROLE_SCOPES,
    SERVICE_SCOPES,
    Scope,
    with_implied,
)
from tests.reference.markdown import code, page, table

_DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "openapi.json"
_LEAD = """
How roles, grants and memberships come together: [permissions](../permissions.md). Every `manage` holds the `view` of
the same module.
"""
_ROLES = """
A customer's user holds the last column, whatever the role. `tenant:manage` is held by the super administrators of the
platform's own tenant alone.
"""
_ROUTES = """
What `x-access` says in [openapi.json](../openapi.json): `public` asks for nothing, `signed in` for a valid token,
`internal` for the token of budapp's own sidecar. Some routes take a scope that is held in the project concerned alone;
rows out of reach are 404 in any case.
"""


def render() -> str:
    """Return the page."""
    return page(
        "Scopes and access", _LEAD, "## Scopes of the roles", _ROLES, _roles(), "## Who can hold what", _grants(),
        "## What routes ask for", _ROUTES, *_routes(),
    )  # fmt: skip


def _roles() -> str:
    held = [*(with_implied(scopes) for scopes in ROLE_SCOPES.values()), with_implied(CLIENT_SCOPES)]
    names = [*(code(role.value) for role in ROLE_SCOPES), "customer's user"]
    return table(
        ["scope", *names], ([code(scope.value), *("✓" if scope in one else "" for one in held)] for scope in Scope)
    )


def _grants() -> str:
    ways = {
        "granted to a user for the tenant": GLOBAL_SCOPES,
        "held in one project, as a member": PROJECT_SCOPES,
        "part of a custom role": ROLE_GRANTABLE,
        "held by a service account": SERVICE_SCOPES,
        "held in the platform's own tenant alone": PLATFORM_SCOPES,
    }
    return table(
        ["can be", "scopes"],
        ([way, ", ".join(code(scope.value) for scope in Scope if scope in scopes)] for way, scopes in ways.items()),
    )


def _routes() -> list[str]:
    paths: dict[str, dict[str, Any]] = json.loads(_DOCUMENT.read_text())["paths"]
    rows = [
        (
            operation["tags"][0],
            path,
            [code(f"{method.upper()} {path}"), code(operation["x-access"]), operation["summary"]],
        )
        for path, operations in paths.items()
        for method, operation in operations.items()
    ]
    rows.sort(key=lambda row: row[:2])
    return [
        f"### {tag}\n\n{table(['route', 'access'], [row for _, _, row in group])}"
        for tag, group in groupby(rows, lambda row: row[0])
    ]
