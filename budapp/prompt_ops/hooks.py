"""What other domains have to say about prompts."""

from collections.abc import Awaitable, Callable
from uuid import UUID

from budapp.commons.database import ReadSession, WriteSession
from budapp.commons.hooks import Hook

at_foundry = Hook[Callable[[ReadSession, UUID, str, int | None], Awaitable[list[str]]]](
    "what the MCP Foundry has of a prompt"
)
"""Called with the tenant, what budprompt calls the prompt, and the version where it is just one; returns paths."""

after_deletion = Hook[Callable[[WriteSession, UUID, str, int | None], Awaitable[None]]](
    "after a prompt, a version of it or a draft was deleted"
)
"""Called like `at_foundry`, in the unit of work in which it goes."""

after_copy = Hook[Callable[[WriteSession, UUID, tuple[str, int], tuple[str, int]], Awaitable[None]]](
    "after a draft was made a version of a prompt"
)
"""Called with the tenant, and with id and version at budprompt: of the draft, and of what it has become."""
