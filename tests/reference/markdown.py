"""The few forms of Markdown that generated pages have."""

from collections.abc import Iterable, Sequence

GENERATED = "<!-- Generated from the code by `python -m tests.reference`. -->"


def page(title: str, *parts: str) -> str:
    """Return a page."""
    return "\n\n".join((f"# {title}", GENERATED, *(part.strip() for part in parts))) + "\n"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |" for line in lines)


def code(text: object) -> str:
    """Return the text as code; nothing where it is empty."""
    return f"`{text}`" if text not in (None, "") else ""
