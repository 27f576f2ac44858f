"""How each table says which of the gateway's entries follow from it; `budapp.gateway_changes` does the recording."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FeedsGateway:
    """Every row that is made, changed or deleted leaves notes of what must be worked out anew, in the same transaction.

    Args:
        items: kind of what follows from the row → the columns that name it; before and after a change both count.
        when: the columns whose changes matter; all where there are none.
    """

    items: Mapping[str, Collection[str]]
    when: Collection[str] = ()
