"""What commands share that need the whole application, though it serves nobody."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from fastapi import FastAPI

from budapp.main import close, create_app

Result = TypeVar("Result")


def with_application(work: Callable[[FastAPI], Awaitable[Result]]) -> Result:
    """Do the work with an application of the settings, and close its connections."""

    async def run() -> Result:
        application = create_app()
        try:
            return await work(application)
        finally:
            await close(application)

    return asyncio.run(run())
