"""What people get from other domains when they come, and own there when they go; those domains register themselves."""

from collections.abc import Awaitable, Callable
from uuid import UUID

from budapp.commons.database import WriteSession
from budapp.user_ops.models import User

Clear = Callable[[WriteSession, UUID, bool], Awaitable[None]]

Welcome = Callable[[WriteSession, User], Awaitable[None]]

_owned: dict[str, Clear] = {}
_arrivals: dict[str, Welcome] = {}
_returns: dict[str, Welcome] = {}


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


def register_arrival(name: str, welcome: Welcome) -> None:
    """Have `welcome(session, user)` called for each new user, in the unit of work that makes them."""
    _arrivals[name] = welcome


async def welcome(session: WriteSession, user: User) -> None:
    """Give the new user what there is for them."""
    for arrival in _arrivals.values():
        await arrival(session, user)


def register_return(name: str, receive: Welcome) -> None:
    """Have `receive(session, user)` called for each deleted user who is let in again, in that unit of work."""
    _returns[name] = receive


async def welcome_back(session: WriteSession, user: User) -> None:
    """Take away what must not have outlived the deletion of the user."""
    for receive in _returns.values():
        await receive(session, user)
