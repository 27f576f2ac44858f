from typing import Any

import httpx

from tests.cast import Person

PATH = "/service-accounts"


async def make_account(client: httpx.AsyncClient, person: Person, **fields: Any) -> dict[str, Any]:
    """Make a service account, by default a developer."""
    body = {"name": "CI", "role": "developer", **fields}
    answer = await client.post(PATH, json=body, headers=person.headers)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()["service_account"]
    return made


async def make_service_key(client: httpx.AsyncClient, person: Person, account_id: str, **fields: Any) -> dict[str, Any]:
    """Make a key for the account, by default one that is in no project."""
    answer = await client.post(f"{PATH}/{account_id}/keys", json={"name": "key", **fields}, headers=person.headers)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()["key"]
    return made


def bearing(key: dict[str, Any] | str) -> dict[str, str]:
    """Return the headers of a request with the key."""
    return {"Authorization": f"Bearer {key if isinstance(key, str) else key['key']}"}
