"""budctl, run in this process: starting another takes a second."""

import asyncio
import contextlib
import io
import json
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from budapp_client.cli.main import main


@dataclass(frozen=True)
class Finished:
    """How a command ended."""

    status: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        """What a program reads."""
        return json.loads(self.stdout)


async def budctl(*arguments: str, typed: str = "") -> Finished:
    """Run a command, with what is typed, or comes through a pipe."""
    return await asyncio.to_thread(_run, arguments, typed)


def _run(arguments: tuple[str, ...], typed: str) -> Finished:
    with (
        patch("sys.stdin", io.StringIO(typed)),
        contextlib.redirect_stdout(io.StringIO()) as stdout,
        contextlib.redirect_stderr(io.StringIO()) as stderr,
    ):
        try:
            main(arguments)
            status: Any = 0
        except SystemExit as ended:
            status = ended.code or 0
    assert isinstance(status, int)
    return Finished(status, stdout.getvalue(), stderr.getvalue())
