"""How each table says which of its changes are told live, and to whom; `budapp.live_ops` does the recording."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from budapp.commons.scopes import Scope


@dataclass(frozen=True, slots=True)
class Announced:
    """Rows that are made or changed are told to those who may read them, by way of the transaction that does it.

    Who may read a row is said here as the domain's reads have it; `tests/live` compares the two.

    Args:
        object_type: what clients call it.
        made: the event that tells of a new row.
        changed: event → the columns whose changes it tells of.
        shows: from the row to what clients read in the event.
        project: the column with the project that it lies in.
        scope: what must be held to read it: in its project, or where it has none in the tenant.
        scope_column: the column that says so, where each row has its own.
        owner: the column with the one person that it belongs to.
        or_scope: what others must hold in the tenant to read what belongs to somebody.
    """

    object_type: str
    made: str
    shows: Callable[[Any], Mapping[str, Any]]
    changed: Mapping[str, Collection[str]]
    project: str | None = None
    scope: Scope | None = None
    scope_column: str | None = None
    owner: str | None = None
    or_scope: Scope | None = None

    def events(self) -> set[str]:
        """Return the events that tell of such rows."""
        return {self.made, *self.changed}


@dataclass(frozen=True, slots=True)
class AltersReach:
    """With each row that is made, changed or deleted, what the person in the column may read becomes another."""

    user: str


def columns(*names: str) -> Callable[[Any], Mapping[str, Any]]:
    """Return what shows these columns of a row."""
    return lambda row: {name: getattr(row, name) for name in names}
