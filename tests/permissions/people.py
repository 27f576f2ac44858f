"""What the tests of permissions do over and over."""

from typing import Any
from uuid import UUID

import httpx

from tests.cast import Person


async def make_role(client: httpx.AsyncClient, by: Person, name: str, *scopes: str) -> dict[str, Any]:
    """Make a custom role through the API."""
    body = {"name": name, "scopes": list(scopes)}
    answer = await client.post("/roles", json=body, headers=by.headers)
    assert answer.status_code == 200, answer.text
    role: dict[str, Any] = answer.json()["role"]
    return role


async def assign(client: httpx.AsyncClient, by: Person, user_id: UUID | str, role_id: object) -> httpx.Response:
    body = {"role_id": role_id if role_id is None else str(role_id)}
    return await client.put(f"/users/{user_id}/role", json=body, headers=by.headers)


async def held(client: httpx.AsyncClient, person: Person) -> set[str]:
    """What the person holds for the tenant, as `/users/me/permissions` tells them."""
    entries = (await client.get("/users/me/permissions", headers=person.headers)).json()["permissions"]
    modules = [entry for entry in entries if entry["rsname"].startswith("module_")]
    return {f"{entry['rsname'].removeprefix('module_')}:{action}" for entry in modules for action in entry["scopes"]}
