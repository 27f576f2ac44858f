"""Processes of budapp beside the tests, as in production."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Protocol

import httpx
from pydantic import SecretStr

from budapp.commons.config import Settings
from tests import stack
from tests.events.sidecar import free_port
from tests.processes import forked
from tests.stack import http_client
from tests.waiting import until


class Process(Protocol):
    """A process that runs by itself."""

    @property
    def pid(self) -> int: ...

    def kill(self) -> None: ...

    async def wait(self) -> object: ...


@dataclass
class Replica:
    """A process of its own, as in production."""

    process: Process
    http: httpx.AsyncClient

    def kill(self) -> None:
        """End it at once; it gets no chance to clean up."""
        with suppress(ProcessLookupError):
            self.process.kill()


@dataclass
class _Forked:
    _process: BaseProcess

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def kill(self) -> None:
        self._process.kill()

    async def wait(self) -> None:
        await asyncio.to_thread(self._process.join)


@asynccontextmanager
async def running_replica(
    settings: Settings, log: Path | None = None, *, code: Path | None = None, port: int | None = None
) -> AsyncIterator[Replica]:
    """Serve with these settings within the block.

    Args:
        settings: of the process, where they are not those of the stack.
        log: the file that gets the log.
        code: the checkout whose code is run, rather than this one.
        port: where to serve, rather than on any port that is free.
    """
    port = port or free_port()
    environment = os.environ | differences(settings)
    environment |= {"APP_PORT": str(port), "APP_HOST": "127.0.0.1", "APP_WORKERS": "1"}
    log = log or Path(os.devnull)
    process = await (_started(environment, log, code) if code else _forked(environment, log))
    async with http_client(f"http://127.0.0.1:{port}", timeout=30) as http:
        found = Replica(process, http)
        try:
            await until(lambda: _is_up(http), 180)
            yield found
        finally:
            found.kill()
            await process.wait()


async def _forked(environment: dict[str, str], log: Path) -> Process:
    return _Forked(await asyncio.to_thread(forked, "serve", environment=environment, log=log))


async def _started(environment: dict[str, str], log: Path, code: Path) -> Process:
    command = (sys.executable, "-m", "budapp.cli", "serve")
    with log.open("wb") as output:
        return await asyncio.create_subprocess_exec(*command, cwd=code, env=environment, stdout=output, stderr=output)


async def _is_up(http: httpx.AsyncClient) -> bool:
    with suppress(httpx.TransportError):
        return (await http.get("/livez")).is_success
    return False


def differences(settings: Settings) -> dict[str, str]:
    """Return the variables that make a process's settings these, beside those of the stack."""
    of_stack = stack.settings()
    values = {name: getattr(settings, name) for name in Settings.model_fields}
    changed = {name: value for name, value in values.items() if value != getattr(of_stack, name)}
    return {
        name.upper(): value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        for name, value in changed.items()
    }
