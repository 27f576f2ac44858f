"""Lists of any length, one item after the other."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, ParamSpec, Protocol, TypeVar

from budapp_client.connection import answer
from budapp_client.rest.types import Unset

_LIMIT = 100


class Page(Protocol):
    """What every list says of itself."""

    @property
    def page(self) -> int: ...

    @property
    def total_pages(self) -> int: ...

    @property
    def next_cursor(self) -> str | Unset | None: ...


Params = ParamSpec("Params")
Listed = TypeVar("Listed", bound=Page)
Item = TypeVar("Item")


def each(
    list_call: Callable[Params, Listed | None],
    items: Callable[[Listed], Iterable[Item]],
    *args: Params.args,
    **filters: Params.kwargs,
) -> Iterator[Item]:
    """Return all items of a list, fetched page by page as they are asked for.

    `list_call` is the function of the route, such as `projects_list.sync`; `items` says where a page has them; the
    rest is what the function takes. `limit` is the size of a page. Pages go on behind a cursor where the list has
    one, so that nothing is skipped or repeated while others add and delete.
    """
    call: Callable[..., Listed | None] = list_call
    query: dict[str, Any] = {"limit": _LIMIT, **filters}
    while True:
        page = answer(call(*args, **query))
        found = list(items(page))
        yield from found
        if page.next_cursor:
            query["cursor"] = page.next_cursor
        elif found and page.page < page.total_pages and "cursor" not in query:
            query["page"] = page.page + 1
        else:
            return
