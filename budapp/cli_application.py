"""What commands share that need the whole application, though it serves nobody."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import TypeVar

from fastapi import FastAPI

from budapp.commons.logging import configure_logging
from budapp.main import close, create_app

Result = TypeVar("Result")


def with_application(work: Callable[[FastAPI], Awaitable[Result]]) -> Result:
    """Do the work with an application of the settings, and close its connections."""

    async def run() -> Result:
        application = create_app()
        configure_logging(application.state.settings.log_level, sys.stderr)  # what a command prints is its own
        try:
            return await work(application)
        finally:
            await close(application)

    return asyncio.run(run())
