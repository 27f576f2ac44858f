"""What one version of a prompt says otherwise than another."""

import difflib
from collections.abc import Iterator
from typing import Any

from budapp.prompt_ops.schemas import Change

_MOST = 500
_NOT_TOLD = frozenset({"client_metadata", "deployment_name"})
_NOTHING = object()


def changes_between(before: dict[str, Any], after: dict[str, Any]) -> list[Change]:
    """Return the differences by their paths, at most 500; what browsers keep for themselves does not count."""
    told = [{name: value for name, value in one.items() if name not in _NOT_TOLD} for one in (before, after)]
    changes = []
    for change in _differences("", *told):
        changes.append(change)
        if len(changes) == _MOST:
            break
    return changes


def _differences(path: str, before: Any, after: Any) -> Iterator[Change]:
    if isinstance(before, dict) and isinstance(after, dict):
        for name in sorted({*before, *after}):
            inside = f"{path}.{name}" if path else name
            yield from _differences(inside, before.get(name, _NOTHING), after.get(name, _NOTHING))
    elif isinstance(before, list) and isinstance(after, list):
        for number in range(max(len(before), len(after))):
            both = [one[number] if number < len(one) else _NOTHING for one in (before, after)]
            yield from _differences(f"{path}[{number}]", *both)
    else:
        yield from _difference(path, before, after)


def _difference(path: str, before: Any, after: Any) -> Iterator[Change]:
    was_nothing, is_nothing = before is None or before is _NOTHING, after is None or after is _NOTHING
    if (was_nothing and is_nothing) or before == after:
        return
    if was_nothing:
        yield Change(path=path, kind="added", after=after)
    elif is_nothing:
        yield Change(path=path, kind="removed", before=before)
    else:
        yield Change(path=path, kind="changed", before=before, after=after, lines=_lines(before, after))


def _lines(before: Any, after: Any) -> list[str] | None:
    if not isinstance(before, str) or not isinstance(after, str) or "\n" not in before + after:
        return None
    patch = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=2)
    return [line for line in patch if not line.startswith(("---", "+++"))]
