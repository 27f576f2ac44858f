"""The settings of clusters."""

from typing import Any

import httpx
import pytest

from budapp.commons.database import Database
from tests.cast import Cast
from tests.projects.data import add, cluster_row


@pytest.fixture
async def path(database: Database, cast: Cast) -> str:
    cluster = cluster_row(cast.manager, "Lab")
    await add(database, cluster)
    return f"/clusters/{cluster.id}/settings"


async def test_settings_come_change_and_go(client: httpx.AsyncClient, cast: Cast, path: str) -> None:
    as_manager: dict[str, Any] = {"headers": cast.manager.headers}
    assert (await client.get(path, **as_manager)).status_code == 404
    made = await client.post(path, json={"default_storage_class": "fast", "default_access_mode": " "}, **as_manager)
    assert (made.status_code, made.json()["settings"]["default_access_mode"]) == (201, None)
    again = await client.post(path, json={}, **as_manager)
    assert (again.status_code, again.json()["param"]) == (409, "cluster_id")
    changed = await client.put(path, json={"default_access_mode": "ReadWriteMany"}, **as_manager)
    settings = changed.json()["settings"]
    assert (settings["default_storage_class"], settings["default_access_mode"]) == ("fast", "ReadWriteMany")
    cleared = await client.put(path, json={"default_storage_class": ""}, **as_manager)
    assert cleared.json()["settings"]["default_storage_class"] is None
    assert (await client.get(path, headers=cast.developer.headers)).json()["settings"] == cleared.json()["settings"]
    assert (await client.delete(path, **as_manager)).status_code == 200
    assert (await client.delete(path, **as_manager)).status_code == 404


@pytest.mark.parametrize(
    "wrong",
    [
        {"default_storage_class": "-fast"},
        {"default_storage_class": "fast-"},
        {"default_storage_class": "a b"},
        {"default_storage_class": "x" * 254},
        {"default_access_mode": "RWX"},
        {"surprise": 1},
    ],
)
async def test_what_kubernetes_would_not_take_is_422(
    client: httpx.AsyncClient, cast: Cast, path: str, wrong: dict[str, Any]
) -> None:
    assert (await client.post(path, json=wrong, headers=cast.manager.headers)).status_code == 422
