"""What people own in other domains, asked before they are deleted; those domains register themselves."""

from collections.abc import Awaitable, Callable
from uuid import UUID

from budapp.commons.database import WriteSession

Clear = Callable[[WriteSession, UUID, bool], Awaitable[None]]

_owned: dict[str, Clear] = {}


def register(name: str, clear: Clear) -> None:
    """Have `clear(session, user_id, remove_credentials)` called before a user is deleted; it raises to refuse."""
    _owned[name] = clear


async def clear(session: WriteSession, user_id: UUID, *, remove_credentials: bool) -> None:
    """Take away what the user owns.

    Raises:
        BadRequest: something must be taken away first, or `remove_credentials` be said.
    """
    for owned in _owned.values():
        await owned(session, user_id, remove_credentials)
