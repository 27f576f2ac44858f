"""What commands that work on the database share."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from budapp.commons.config import get_settings
from budapp.commons.database import Database

Result = TypeVar("Result")


def with_database(work: Callable[[Database], Awaitable[Result]]) -> Result:
    """Do the work on the database of the settings, and close its connections."""

    async def run() -> Result:
        database = Database(get_settings())
        try:
            return await work(database)
        finally:
            await database.dispose()

    return asyncio.run(run())
