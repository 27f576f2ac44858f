"""What comes from outside, made such that PostgreSQL can hold it and clients can read it."""

import json
import math
import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator

MAX_DEPTH = 64
MAX_TEXT = 5000

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_REPLACEMENT = "\ufffd"
_LIMIT = 1 << 63


def cleaned(value: Any) -> tuple[Any, str | None]:
    """Return the JSON value as it can be stored, and what was wrong with it first, in words; None where nothing was.

    NUL and lone surrogates become U+FFFD. Numbers that are not finite or have more than 64 bits become null, and so
    does what is nested deeper than `MAX_DEPTH`.
    """
    cleaner = _Cleaner()
    return cleaner.clean(value), cleaner.problem


def clean_text(text: str) -> str:
    """Return the text as it can be stored."""
    return _UNSTORABLE.sub(_REPLACEMENT, text)


def error_text(error: BaseException) -> str:
    """Return the error as a text that can be stored, of at most 1,000 characters."""
    return clean_text(repr(error)[:1000])


def _as_text(value: Any) -> Any:
    if value is None:
        return None
    text = value if isinstance(value, str) else json.dumps(cleaned(value)[0], ensure_ascii=False)
    return clean_text(text[:MAX_TEXT])


OutsideText = Annotated[str | None, BeforeValidator(_as_text)]
"""A text that somebody else wrote: cleaned, cut to `MAX_TEXT`; what is no text is taken as its JSON."""


def _as_it_is(text: str) -> str:
    if _UNSTORABLE.search(text) is not None:
        raise ValueError("has a character that can't be stored; leave it out")
    return text


StorableText = Annotated[str, AfterValidator(_as_it_is)]
"""A text that somebody sends: refused where it can't be stored."""


def fitting(value: Any, most: int) -> Any:
    """Return the JSON as it is.

    Raises:
        ValueError: it takes more bytes than that, or something in it can't be stored.
    """
    problem = cleaned(value)[1]
    if problem:
        raise ValueError(f"{problem}; leave it out")
    if len(json.dumps(value, ensure_ascii=False, default=str).encode()) > most:
        raise ValueError(f"takes more than {most // 1024} KiB")
    return value


def within(most: int) -> Any:
    """Return the validator for JSON of at most so many bytes that can be stored."""
    return AfterValidator(lambda value: fitting(value, most))


class _Cleaner:
    """One value's way through: `path` is where it is."""

    def __init__(self) -> None:
        self.problem: str | None = None
        self._path: list[str] = []

    def clean(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, bool) or value is None:
            return value
        if isinstance(value, int | float):
            return self._number(value)
        if len(self._path) >= MAX_DEPTH:
            return self._found("nesting deeper than 64 levels", None)
        if isinstance(value, Mapping):
            return {self._text(str(key)): self._inside(str(key), part) for key, part in value.items()}
        return [self._inside(str(number), part) for number, part in enumerate(value)]

    def _inside(self, name: str, part: Any) -> Any:
        self._path.append(name)
        try:
            return self.clean(part)
        finally:
            self._path.pop()

    def _text(self, value: str) -> str:
        if _UNSTORABLE.search(value) is None:
            return value
        return str(self._found("a character that can't be stored", clean_text(value)))

    def _number(self, value: Any) -> Any:
        fits = math.isfinite(value) if isinstance(value, float) else -_LIMIT <= value < _LIMIT
        return value if fits else self._found("a number out of range", None)

    def _found(self, what: str, instead: Any) -> Any:
        where = clean_text(".".join(self._path))[:200]
        self.problem = self.problem or (f"{what}, at {where}" if where else what)
        return instead
