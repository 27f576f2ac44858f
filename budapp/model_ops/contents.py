"""What runs models. The domain above registers how it is counted, so that this one need not know it."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import ColumnElement

_counts: list[Callable[[Any], ColumnElement[int]]] = []


def register_endpoints(count: Callable[[Any], ColumnElement[int]]) -> None:
    """Make known how a model's deployments are counted, from the column with its id; called once, at the start."""
    _counts[:] = [count]


def endpoint_count(model_id: Any) -> Any:
    """Return the expression that counts a model's deployments, labelled `endpoints_count`.

    Raises:
        IndexError: nobody has registered it.
    """
    return _counts[0](model_id).label("endpoints_count")
