"""How each table says what the audit trail has of it; `budapp.audit` does the recording."""

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Audited:
    """Every row that is made, changed or deleted leaves an entry in the trail, in the same transaction.

    Args:
        resource_type: what auditors look for, see `ResourceType` in `budapp.audit.models`.
        name: the column with the row's name for people.
        action: stands in the entries for `create`, `update` and `delete` alike, such as `permission_changed`.
        secrets: columns that appear as `***`, beside those whose names tell (see `budapp.audit.snapshots`).
        ignored: columns whose changes alone leave no entry.
    """

    resource_type: str
    name: str | None = None
    action: str | None = None
    secrets: Collection[str] = ()
    ignored: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class NotAudited:
    """The rows leave no entries; `reason` says why they need none."""

    reason: str
