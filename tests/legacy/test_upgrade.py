import json

import asyncpg

from tests.legacy.conftest import Run
from tests.legacy.generating import fingerprint


async def test_everything_comes_once(run: Run, old: asyncpg.Connection) -> None:
    before = await fingerprint(old)
    done = await run("--json")
    import sys; sys.__stdout__.write(done.stderr); [sys.__stdout__.write("\n".join(str(x) for x in t["left"])+t["source"]+"\n") for t in json.loads(done.stdout)["tables"] if t["left"]]; print((await run()).stdout)
    assert json.loads(done.stdout)
    assert await fingerprint(old) == before
    raise SystemError
