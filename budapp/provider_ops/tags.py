"""Tags: names with a color."""

import zlib

_COLORS = ("#E57333", "#3F8EF7", "#479D5F", "#965CDE", "#D1B854", "#EC7575")


def colored(names: list[str] | None) -> list[dict[str, str]]:
    """Return the names as tags; one name always has the same color."""
    return [{"name": name, "color": _COLORS[zlib.crc32(name.encode()) % len(_COLORS)]} for name in names or []]
