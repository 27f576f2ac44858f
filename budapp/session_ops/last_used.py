"""When sessions were last used, gathered in the process and written down once a minute."""

import asyncio
from collections.abc import Mapping
from datetime import datetime

from sqlalchemy.exc import SQLAlchemyError

from budapp.commons.background import BackgroundTasks
from budapp.commons.database import Database, WriteSession, now
from budapp.commons.logging import get_logger
from budapp.session_ops import crud

logger = get_logger(__name__)

WRITE_SECONDS = 60


class LastUsed:
    """The uses that this process has seen since it last wrote them down; they can be lost."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._uses: dict[str, datetime] = {}
        self._tasks = BackgroundTasks()

    def note(self, session_id: str) -> None:
        """Note a request in the session; costs no statement."""
        self._uses[session_id] = now()

    async def start(self) -> None:
        """Begin to write down, in the background."""
        self._tasks.run(last_used=self._repeat)

    async def stop(self) -> None:
        """Write down what is left."""
        await self._tasks.stop()
        await self.write()

    async def write(self) -> None:
        """Write down, in one statement, what has been noted since the last time."""
        uses, self._uses = self._uses, {}
        if not uses:
            return
        try:
            async with self._database.write() as session:
                await self._store(session, uses)
        except (SQLAlchemyError, OSError) as error:
            logger.warning("last_used_not_written", count=len(uses), reason=repr(error))

    async def _store(self, session: WriteSession, uses: Mapping[str, datetime]) -> None:
        await crud.note_uses(session, uses)

    async def _repeat(self) -> None:
        while True:
            await asyncio.sleep(WRITE_SECONDS)
            await self.write()
