"""What other domains do when people come and go."""

from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

from budapp.commons.database import WriteSession
from budapp.commons.hooks import Hook
from budapp.user_ops.models import User

after_creation = Hook[Callable[[WriteSession, User], Awaitable[None]]]("after a user is created")
"""Called with the session and each new user, in the unit of work that creates them."""

before_deletion = Hook[Callable[[WriteSession, UUID, bool], Awaitable[None]]]("before a user is deleted")
"""Called with the session, the user's id, and whether their credentials may be removed; raises to refuse."""

after_revocation = Hook[Callable[[WriteSession, Sequence[str]], Awaitable[None]]]("after sessions are revoked")
"""Called with the session and the ids of sign-ins that count no more, in the unit of work that revokes them."""

after_reactivation = Hook[Callable[[WriteSession, User], Awaitable[None]]]("after a user is reactivated")
"""Called with the session and each deleted user who is let in again, in that unit of work."""

after_password_change = Hook[Callable[[WriteSession, User], Awaitable[None]]]("after a user's password is changed")
"""Called with the session and each user who has, or has been given, another password, in that unit of work."""
