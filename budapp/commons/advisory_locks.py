"""PostgreSQL's advisory locks, for what no single row stands for; `docs/locking.md` lists their names."""

from sqlalchemy import ColumnElement, func, select

from budapp.commons.database import ReadSession


def key_of(name: str) -> ColumnElement[int]:
    """Return the 64-bit key of a lock's name."""
    return func.hashtextextended(name, 0)


async def lock(session: ReadSession, name: str) -> None:
    """Wait for the lock, and hold it until the end of the transaction."""
    await session.execute(select(func.pg_advisory_xact_lock(key_of(name))))


async def try_lock(session: ReadSession, name: str) -> bool:
    """Hold the lock until the end of the transaction; False where another transaction has it."""
    return bool(await session.scalar(select(func.pg_try_advisory_xact_lock(key_of(name)))))
