"""Two processes that write the same entries at once leave what the highest version says."""

import subprocess
import sys
from collections.abc import Iterable

import pytest
from redis.asyncio import Redis

from budapp.commons.config import Settings
from tests.gateway.writer import NAMES, entries_of


def highest(written: Iterable[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for line in written:
        name, _, version = line.rpartition(" ")
        found[name] = max(found.get(name, 0), int(version))
    return found


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_the_highest_version_stays(valkey: Redis, own_settings: Settings, seed: int) -> None:
    url = own_settings.tensorzero_redis_url.get_secret_value()
    command = [sys.executable, "-m", "tests.gateway.writer", url, "150"]
    writers = [subprocess.Popen([*command, str(10 * seed + number)]) for number in range(2)]  # noqa: ASYNC220
    assert [writer.wait(240) for writer in writers] == [0, 0]
    versions = highest(map(str, await valkey.zrange("test:written", 0, -1)))
    assert set(versions) == set(NAMES)
    for name, version in versions.items():
        entry = entries_of(version, [name]).get(name)
        assert await valkey.get(name) == (entry.value if entry is not None else None), name
