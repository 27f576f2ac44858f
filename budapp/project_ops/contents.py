"""What lives in projects. The domains above register their part, so that this one need not know them."""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement

from budapp.commons.database import WriteSession


@dataclass(frozen=True, slots=True)
class Removal:
    """What is about to be taken away: some people out of a project, or the project itself where `user_ids` is None."""

    project_id: UUID
    user_ids: Collection[UUID] | None
    remove_credentials: bool


@dataclass(frozen=True, slots=True)
class Content:
    """One kind of thing that projects hold.

    Args:
        name: its plural, such as `endpoints`.
        count: from the column with a project's id to the expression that counts the living ones in that project.
        before_removal: what must happen to them first; raises `BadRequest` where the removal must not be. The
            project's row is locked meanwhile.
    """

    name: str
    count: Callable[[Any], ColumnElement[int]]
    before_removal: Callable[[WriteSession, Removal], Awaitable[None]]


_contents: dict[str, Content] = {}


def register(content: Content) -> None:
    """Make the content known; called once, when the service is put together."""
    _contents[content.name] = content


def count_of(name: str, project_id: Any) -> ColumnElement[int]:
    """Return the expression that counts what the project holds, labelled `<name>_count`.

    Raises:
        KeyError: nobody has registered that content.
    """
    return _contents[name].count(project_id).label(f"{name}_count")


async def before_removal(session: WriteSession, removal: Removal) -> None:
    """Let every content do, or refuse, what the removal means for it.

    Raises:
        BadRequest: the project still holds something that stands in the way.
    """
    for content in _contents.values():
        await content.before_removal(session, removal)
