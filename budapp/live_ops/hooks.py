"""What other domains do with what happens."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from sqlalchemy import Row

from budapp.commons.database import WriteSession
from budapp.commons.hooks import Hook

after_telling = Hook[Callable[[WriteSession, Sequence[Row[Any]]], Awaitable[None]]]("after events were told")
"""Called with rows of `live_event`, each once, in the unit of work that deletes them."""
