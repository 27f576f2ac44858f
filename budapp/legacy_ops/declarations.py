"""How a table of the former service becomes one of ours, as plain data; `moving` does the work.

A column of ours that has the name of an old one takes its value; `columns` says the others. Types, lengths, the values
that ours allows and what rows refer to are checked for all alike.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from budapp.api_key_ops.secrets import Peppers
from budapp.commons.database import Base
from budapp.commons.signing import Keys
from budapp.integrations.recipients import Recipients
from budapp.legacy_ops.secrets import OldSecrets, Unreadable

UNREADABLE = object()
"""Stands for JSON that can't be read."""


class Left(Exception):
    """A row that does not come over. The text says why, in words that all rows with this reason share."""


@dataclass(frozen=True, slots=True)
class Rights:
    """What people may do by a realm of Keycloak.

    Attributes:
        people: account → scopes.
        members: project and account → scopes in there.
    """

    people: Mapping[str, frozenset[str]]
    members: Mapping[tuple[str, str], frozenset[str]]


@dataclass(frozen=True, slots=True)
class Context:
    """What the conversion of rows needs beside them; `rights` by realm, of those that could be read."""

    realm: str
    secrets: OldSecrets
    peppers: Peppers
    recipients: Recipients
    audit_keys: Keys
    workflow_types: frozenset[str]
    rights: Mapping[str, Rights] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ref:
    """What a column of an old row refers to.

    Attributes:
        table: the old table.
        takes: the columns of our row that the conversion needs, beside `id` and `tenant_id`.
        optional: the row comes without it, where that has not come.
        quiet: and nothing is said about it.
        many: the column is a list of ids; those that have not come are left out.
    """

    table: str
    takes: Sequence[str] = ()
    optional: bool = False
    quiet: bool = False
    many: bool = False

    def ids(self, value: Any) -> list[UUID]:
        """Return the ids that a value of the column names.

        Raises:
            ValueError, TypeError: it names something else.
        """
        if value is None:
            return []
        return [UUID(str(one)) for one in list(value)] if self.many else [value]


class Old:
    """A row of the former service while it is converted.

    Attributes:
        context: what else is known.
        remarks: what is worth knowing of the row though it comes.
    """

    def __init__(
        self,
        values: Mapping[str, Any],
        refs: Mapping[str, Ref],
        found: Mapping[str, Mapping[UUID, Mapping[str, Any]]],
        context: Context,
    ) -> None:
        self._values = values
        self._refs = refs
        self._found = found
        self.context = context
        self.remarks: list[str] = []

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def has(self, name: str) -> bool:
        """Tell whether the old table has the column."""
        return name in self._values

    def remark(self, text: str) -> None:
        """Say something of the row, once."""
        if text not in self.remarks:
            self.remarks.append(text)

    def ref(self, name: str) -> Mapping[str, Any] | None:
        """Return our row that the column refers to; None where it is null, or optional and has not come.

        Raises:
            Left: it has not come, or is gone.
        """
        wanted = self._values[name]
        if wanted is None:
            return None
        ref = self._refs[name]
        row = self._found[name].get(wanted)
        if row is None and not ref.optional:
            raise Left(f"the {ref.table} that its {name} names has not come")
        if row is None and not ref.quiet:
            self.remark(f"without its {name}: that {ref.table} has not come")
        return row

    def rows_of(self, name: str) -> list[Mapping[str, Any]]:
        """Return our rows that the column refers to, one or many.

        Raises:
            Left: the one has not come, or the list is none.
        """
        ref = self._refs[name]
        if not ref.many:
            row = self.ref(name)
            return [] if row is None else [row]
        try:
            wanted = ref.ids(self._values[name])
        except (TypeError, ValueError):
            raise Left(f"its {name} is no list of ids") from None
        found = self._found[name]
        if any(one not in found for one in wanted):
            self.remark(f"without some of its {name}: those of {ref.table} have not come")
        return [found[one] for one in wanted if one in found]

    def secret(self, text: str) -> str:
        """Return a secret in clear.

        Raises:
            Left: it can't be read.
        """
        try:
            return self.context.secrets.read(text)
        except Unreadable as error:
            raise Left(str(error)) from None


_COLOR = re.compile(r"#[0-9A-Fa-f]{6}")
_USUAL_COLOR = "#3F8EF7"

OLDEST = "t.created_at"
NEWEST = "t.created_at desc"

Value = Callable[[Old], Any]
Row = dict[str, Any]


@dataclass(frozen=True)
class Move:
    """How the rows of one old table come over.

    Attributes:
        source: the old table.
        target: our table.
        refs: what columns of the old row refer to; they must have come before.
        columns: what our columns are, where that is not just the old column of the name.
        extra: more columns of the old row, as SQL; `t` is the row.
        joins: what those need beside the row, as SQL.
        tenant: the column of `refs` whose tenant the row belongs to.
        natural: our columns that say that a row is here already, under whatever id; the old one is then taken for it.
        key: the old table's primary key.
        order: which rows come first, as SQL: of two that exclude each other the first one comes.
        later: columns of ours that refer to rows that come later, and the old table of those; set at the end.
        rows: what our rows are, where one old row becomes several, or none: columns that differ.
        finish: completes a row that has been checked.
        into: the column of `refs` that names the row which this one has become part of; no row of its own then.
        check: raises `Left` where a row does not come.
        part: what of the rows is meant, where another move brings the rows themselves.
    """

    source: str
    target: type[Base]
    refs: Mapping[str, Ref] = field(default_factory=dict)
    columns: Mapping[str, Value] = field(default_factory=dict)
    extra: Mapping[str, str] = field(default_factory=dict)
    joins: str = ""
    tenant: str | None = None
    natural: tuple[str, ...] = ()
    key: tuple[str, ...] = ("id",)
    order: str = ""
    later: Mapping[str, str] = field(default_factory=dict)
    rows: Callable[[Old], Sequence[Row]] | None = None
    finish: Callable[[Row, Old], None] | None = None
    into: str | None = None
    check: Callable[[Old], None] | None = None
    part: str = ""

    @property
    def name(self) -> str:
        """What the rows are noted and reported under."""
        return f"{self.source} ({self.part})" if self.part else self.source


@dataclass(frozen=True, slots=True)
class NoHome:
    """An old table that ours has no place for."""

    source: str
    reason: str


def constant(value: Any) -> Value:
    """Return what is the same for all rows."""
    return lambda _: value


def column(name: str) -> Value:
    """Return the old column, under whatever name ours has."""
    return lambda old: old[name]


def id_of(name: str) -> Value:
    """Return the id of our row that the old column refers to."""

    def value(old: Old) -> UUID | None:
        row = old.ref(name)
        return None if row is None else row["id"]

    return value


def ids_of(name: str) -> Value:
    """Return the ids of our rows that the old column lists."""
    return lambda old: [row["id"] for row in old.rows_of(name)]


def of(name: str, attribute: str) -> Value:
    """Return a column of our row that the old column refers to."""

    def value(old: Old) -> Any:
        row = old.ref(name)
        return None if row is None else row[attribute]

    return value


def either(first: str, instead: Any) -> Value:
    """Return the old column, or something else where it is null."""
    return lambda old: instead if old[first] is None else old[first]


def renamed(name: str, values: Mapping[str, str]) -> Value:
    """Return the old column with other words for some of its values."""
    return lambda old: values.get(old[name], old[name])


def marks(name: str) -> Value:
    """Return the old JSON as tags: those that have a name, each with a color; none where there are none."""

    def value(old: Old) -> list[dict[str, str]] | None:
        found = old[name] if isinstance(old[name], list) else []
        named = [tag for tag in found if isinstance(tag, dict) and isinstance(tag.get("name"), str) and tag["name"]]
        return [{"name": tag["name"], "color": color_of(tag.get("color"))} for tag in named] or None

    return value


def color_of(value: Any) -> str:
    """Return the color, or the usual one where it is none."""
    return value if isinstance(value, str) and _COLOR.fullmatch(value) else _USUAL_COLOR


def texts(name: str) -> Value:
    """Return the old JSON as a list of texts."""

    def value(old: Old) -> list[str] | None:
        found = old[name]
        if found is None:
            return None
        return [str(one) for one in found] if isinstance(found, list) else [str(found)]

    return value
