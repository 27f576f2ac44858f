"""What the tests of keys make through the API."""

from typing import Any

import httpx

from tests.cast import Person

PATH = "/credentials/"


async def make_key(client: httpx.AsyncClient, person: Person, project_id: str, **fields: Any) -> dict[str, Any]:
    """Make a key; `key` is the secret."""
    body = {"name": "CI", "project_id": project_id, **fields}
    answer = await client.post(PATH, json=body, headers=person.headers)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()["result"]
    return found


async def keys_seen(client: httpx.AsyncClient, person: Person, query: str = "") -> list[dict[str, Any]]:
    answer = await client.get(PATH + query, headers=person.headers)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["credentials"]
    return found
