"""Servers of a test's own, beside those of the stack."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.waiting import until


def program(variable: str) -> Path:
    """Return where a program is that only tests run."""
    found = os.environ.get(variable)
    if found is None:
        pytest.fail(f"{variable} must say where the program is; deploy/run_tests.sh does")
    return Path(found)


@asynccontextmanager
async def running(
    command: Sequence[str | Path],
    log: Path,
    ready: Callable[[], Awaitable[bool]],
    environment: Mapping[str, str] | None = None,
) -> AsyncIterator[None]:
    """Run a server within the block."""
    words = [str(word) for word in command]
    with log.open("wb") as output:
        server = await asyncio.create_subprocess_exec(
            *words, env={**os.environ, **(environment or {})}, stdout=output, stderr=output
        )
    try:
        await until(ready, seen=log.read_text)
        yield
    finally:
        server.terminate()
        await server.wait()


async def listens(port: int) -> bool:
    """Tell whether a server on this machine takes connections."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True
