"""What the commands of all domains share."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import TypeVar

from budapp.commons.config import Settings
from budapp.commons.domain import Components
from budapp.commons.logging import configure_logging

Result = TypeVar("Result")

make_components: ContextVar[Callable[[], Components]] = ContextVar("make_components")
"""How the command line that runs makes the components of its service."""


def run_with(work: Callable[[Components], Awaitable[Result]]) -> Result:
    """Do the work of a command with the components of the service, only those built that it asks for."""

    async def run() -> Result:
        components = make_components.get()()
        configure_logging(components[Settings].log_level, sys.stderr)  # what a command prints is its own
        try:
            return await work(components)
        finally:
            await components.close()

    return asyncio.run(run())
