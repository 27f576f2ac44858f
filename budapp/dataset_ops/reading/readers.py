"""The reader processes of a service: started when first needed, without its secrets, and kept for the next file."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Self

from pydantic import TypeAdapter
from pydantic_core import to_json

import budapp
from budapp.dataset_ops.reading.protocol import Report, Task

_MODULE = "budapp.dataset_ops.reading.server"
_LONGEST_REPORT = 16 * 1024 * 1024
_GRACE_SECONDS = 10
_PASSED_ON = ("PATH", "SSL_CERT_FILE", "SSL_CERT_DIR")

_REPORT = TypeAdapter(Report)


class ReaderLost(Exception):
    """The reader itself is gone, or says what makes no sense."""


class Readers:
    """A number of readers, each of which reads one file at a time.

    Args:
        count: how many files are read at once at most.
        ca_file: the authorities that the store's certificate may be of; None for the usual ones.
    """

    def __init__(self, count: int, ca_file: str | None = None) -> None:
        self.count = count
        self._environment = _environment() | ({"SSL_CERT_FILE": ca_file} if ca_file else {})
        self._free = asyncio.Semaphore(count)
        self._idle: list[_Reader] = []

    async def read(self, task: Task) -> Report:
        """Have the file read, once a reader is free.

        Raises:
            ReaderLost: see the class; another try gets another reader.
        """
        async with self._free:
            self._idle = [reader for reader in self._idle if reader.is_alive]
            reader = self._idle.pop() if self._idle else await _Reader.start(self._environment)
            async with AsyncExitStack() as lost:
                lost.push_async_callback(reader.stop)
                report = await reader.read(task)
                lost.pop_all()
            self._idle.append(reader)
            return report

    async def close(self) -> None:
        """End the readers; those at work end with their task."""
        while self._idle:
            await self._idle.pop().stop()


class _Reader:
    """One process, see `server.py`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, environment: Mapping[str, str]) -> Self:
        """Start a process."""
        return cls(
            await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                _MODULE,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env=environment,
                cwd="/",
                limit=_LONGEST_REPORT,
                start_new_session=True,
            )
        )

    @property
    def is_alive(self) -> bool:
        """Tell whether nobody has ended the process."""
        return self._process.returncode is None

    async def read(self, task: Task) -> Report:
        """Have the file read."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(to_json(task) + b"\n")
            async with asyncio.timeout(task.seconds + _GRACE_SECONDS):
                return _REPORT.validate_json(await self._process.stdout.readline())
        except (OSError, ValueError, TimeoutError, RuntimeError) as error:  # RuntimeError: uvloop's, of a closed pipe
            raise ReaderLost(repr(error)[:500]) from error

    async def stop(self) -> None:
        """End the process, with what it has started."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        await self._process.wait()


def _environment() -> dict[str, str]:
    passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return passed_on | {
        "PYTHONPATH": str(Path(budapp.__file__).parent.parent),
        "PYTHONDONTWRITEBYTECODE": "1",
        "LANG": "C.UTF-8",
        "MALLOC_ARENA_MAX": "1",
        "ARROW_DEFAULT_MEMORY_POOL": "system",  # others reserve address space in pieces that a limit would not allow
    }
