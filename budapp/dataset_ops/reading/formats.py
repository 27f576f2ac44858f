"""What a file must have whatever its format, and how to say what it lacks."""

from collections.abc import Iterable

from budapp.dataset_ops.reading.protocol import MAX_COLUMNS, MAX_NAMES_CHARACTERS, Column, UnreadableFile

_LONGEST_QUOTED = 60


def printable(text: str) -> str:
    """Return the text without control characters, which are not shown and need not be storable."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def quoted(name: str) -> str:
    """Return the name as a reason quotes it: short, without control characters."""
    shown = printable(name[: _LONGEST_QUOTED + 1])
    return f"`{shown[:_LONGEST_QUOTED]}…`" if len(shown) > _LONGEST_QUOTED else f"`{shown}`"


def check_names(names: list[str]) -> None:
    """Refuse names that can't be stored or told apart.

    Raises:
        UnreadableFile: which one, and why.
    """
    if not 1 <= len(names) <= MAX_COLUMNS:
        raise UnreadableFile(f"The file has {len(names):,} columns; 1 to {MAX_COLUMNS:,} are allowed")
    if sum(map(len, names)) > MAX_NAMES_CHARACTERS:
        raise UnreadableFile(f"The column names have more than {MAX_NAMES_CHARACTERS:,} characters in total")
    check_storable(names)
    refuse_repeated(names, "Duplicate column name {}")


def check_storable(names: Iterable[str]) -> None:
    """Refuse names with a NUL character.

    Raises:
        UnreadableFile: which one.
    """
    for name in names:
        if "\0" in name:
            raise UnreadableFile(f"The name {quoted(name)} contains a NUL character; is the file encoded in UTF-8?")


def refuse_repeated(names: Iterable[str], message: str) -> None:
    """Refuse a name that is there twice.

    Raises:
        UnreadableFile: the message, with the name.
    """
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise UnreadableFile(message.format(quoted(name)))
        seen.add(name)


def columns_of(types: dict[str, str]) -> list[Column]:
    """Return the columns by name and type."""
    return [Column(name, kind) for name, kind in types.items()]
