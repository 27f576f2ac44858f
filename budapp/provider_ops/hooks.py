"""What other domains do when the catalog changes."""

from collections.abc import Awaitable, Callable

from budapp.commons.database import WriteSession
from budapp.commons.hooks import Hook

after_sync = Hook[Callable[[WriteSession], Awaitable[None]]]("after the catalog is synced")
"""Called in the unit of work of each sync."""
