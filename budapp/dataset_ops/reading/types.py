"""Of which Arrow type a column is, once all of its values have been seen."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pyarrow as pa
from pyarrow import compute

from budapp.dataset_ops.reading.formats import printable

MIXED = "mixed"
_NULL = "null"
_TEXT = "string"
_LONGEST_NAME = 200
_LONGEST_MERGED = 10_000
_HAVE_NO_TYPE = (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError)

_INTEGER = r"^(0|-?[1-9]\d{0,18})$"
_REAL = r"(?i)^-?((0|[1-9]\d{0,15})(\.\d{1,17})?(e[-+]?\d{1,3})?|inf|infinity|nan)$"
_BOOLEAN = r"^(true|false|True|False|TRUE|FALSE)$"


def name_of(kind: pa.DataType) -> str:
    """Return Arrow's name of the type; that of the values where they are dictionary-encoded."""
    while pa.types.is_dictionary(kind) or isinstance(kind, pa.BaseExtensionType):
        kind = kind.value_type if pa.types.is_dictionary(kind) else kind.storage_type
    name = printable(str(kind)[: _LONGEST_NAME + 1])
    return name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}…"


def _looks_like(pattern: str) -> Callable[[pa.Array], bool]:
    return lambda texts: bool(compute.all(compute.match_substring_regex(texts, pattern)).as_py())


def _casts_to(kind: pa.DataType, pattern: str = "") -> Callable[[pa.Array], bool]:
    def casts(texts: pa.Array) -> bool:
        if pattern and not _looks_like(pattern)(texts):
            return False
        try:
            texts.cast(kind)
        except pa.ArrowInvalid:
            return False
        return True

    return casts


_WRITTEN: Sequence[tuple[str, Callable[[pa.Array], bool]]] = [
    ("int64", _casts_to(pa.int64(), _INTEGER)),
    ("double", _looks_like(_REAL)),
    ("bool", _looks_like(_BOOLEAN)),
    *(
        (str(kind), _casts_to(kind))
        for kind in (
            pa.date32(),
            pa.timestamp("s"),
            pa.timestamp("ns"),
            pa.timestamp("s", "UTC"),
            pa.timestamp("ns", "UTC"),
        )
    ),
]


class WrittenColumn:
    """A column of texts, which is of the first type that all of them are written like; empty ones say nothing."""

    def __init__(self) -> None:
        self._candidates = list(_WRITTEN)
        self._is_empty = True

    @property
    def type(self) -> str:
        """What it is, going by what was seen."""
        if self._is_empty:
            return _NULL
        return self._candidates[0][0] if self._candidates else _TEXT

    def take(self, texts: Iterable[str]) -> None:
        """See more values."""
        written = [text for text in texts if text] if self._candidates else []
        if written:
            self._is_empty = False
            values = pa.array(written, pa.string())
            self._candidates = [candidate for candidate in self._candidates if candidate[1](values)]


class ParsedColumn:
    """A column of values from JSON."""

    def __init__(self) -> None:
        self._type: pa.DataType | None = pa.null()

    @property
    def type(self) -> str:
        """What it is, going by what was seen."""
        return MIXED if self._type is None else name_of(self._type)

    def take(self, values: list[Any]) -> None:
        """See more values."""
        if self._type is None:
            return
        try:
            self._type = _merged(self._type, pa.array(values).type)
        except _HAVE_NO_TYPE:
            self._type = None


def _merged(one: pa.DataType, other: pa.DataType) -> pa.DataType | None:
    """Return the type that holds the values of both; None where it has too many members to name.

    Raises:
        TypeError: there is none.
    """
    if one == other:
        return one
    schemas = [pa.schema([("column", kind)]) for kind in (one, other)]
    merged = pa.unify_schemas(schemas, promote_options="permissive").field(0).type
    return merged if len(str(merged)) <= _LONGEST_MERGED else None
