"""Where requests go when an endpoint fails: a graph without circles. No database here."""

from collections.abc import Iterable, Mapping
from uuid import UUID


def circle_through(
    endpoint_id: UUID, targets: Iterable[UUID], fallbacks: Mapping[UUID, Iterable[UUID]]
) -> list[UUID] | None:
    """Return a circle that the endpoint would be in if it fell back to the targets, or None.

    Args:
        endpoint_id: the endpoint.
        targets: what it is to fall back to.
        fallbacks: what the others fall back to; what is said of the endpoint itself does not count.

    Returns:
        The way from the endpoint back to itself, which is first and last.
    """
    seen: set[UUID] = set()
    ways = [[endpoint_id, target] for target in targets]
    while ways:
        way = ways.pop()
        if way[-1] == endpoint_id:
            return way
        if way[-1] not in seen:
            seen.add(way[-1])
            ways += [[*way, target] for target in fallbacks.get(way[-1], ())]
    return None
