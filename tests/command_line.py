"""The command line, run in this process: starting another takes seconds."""

import asyncio
import contextlib
import io
from dataclasses import dataclass
from unittest.mock import patch

from budapp.cli.main import main
from budapp.commons.config import Settings
from budapp.commons.logging import configure_logging


@dataclass(frozen=True)
class Finished:
    """How a command ended."""

    status: int
    stdout: str
    stderr: str


async def budapp(settings: Settings, *arguments: str) -> Finished:
    """Run a command with the settings, as a process of its own would."""
    return await asyncio.to_thread(_run, settings, arguments)


def _run(settings: Settings, arguments: tuple[str, ...]) -> Finished:
    with (
        patch("budapp.cli.runtime.get_settings", lambda: settings),
        contextlib.redirect_stdout(_stream()) as stdout,
        contextlib.redirect_stderr(_stream()) as stderr,
    ):
        try:
            main(arguments)
            status = 0
        except SystemExit as ended:
            status = ended.code if isinstance(ended.code, int) else int(bool(ended.code))
            stderr.write(ended.code if isinstance(ended.code, str) else "")
    configure_logging(settings.log_level)
    return Finished(status, _written(stdout), _written(stderr))


def _stream() -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)


def _written(stream: io.TextIOWrapper) -> str:
    stream.seek(0)
    return stream.read()
