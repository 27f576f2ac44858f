import json

import asyncpg

from tests.legacy.conftest import Run
from tests.legacy.generating import fingerprint


async def test_everything_comes_once(run: Run, old: asyncpg.Connection) -> None:
    before = await fingerprint(old)
    done = await run("--json")
    print(done.stderr, (await run()).stdout)
    assert json.loads(done.stdout)
    assert await fingerprint(old) == before
    raise SystemError
