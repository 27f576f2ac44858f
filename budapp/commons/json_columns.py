"""Rows of another table as a JSON array in a column: one statement in place of two."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import FromClause, Select, func, literal_column
from sqlalchemy.dialects.postgresql import JSONB, aggregate_order_by

EMPTY_ARRAY: Any = literal_column("'[]'::jsonb")


def json_object(fields: Mapping[str, Any]) -> Any:
    """Return a JSON object with these names, as the code has them, and columns."""
    parts: list[Any] = []
    for name, column in fields.items():
        parts += [literal_column(f"'{name}'"), column]
    return func.jsonb_build_object(*parts, type_=JSONB)


def objects(fields: Mapping[str, Any], *order_by: Any, distinct: bool = False) -> Any:
    """Return an aggregate: a JSON object of each row, with these names and columns; null where there is no row.

    Args:
        fields: names, as the code has them, and columns.
        order_by: columns that order the array; not together with `distinct`.
        distinct: put equal objects in once, ordered by their values.
    """
    built: Any = json_object(fields)
    if distinct:
        built = built.distinct()
    elif order_by:
        built = aggregate_order_by(built, *order_by)
    return func.jsonb_agg(built, type_=JSONB)


def or_empty(found: Select[Any], outer: type | FromClause) -> Any:
    """Return the select of one aggregate as a column beside the outer table's; an empty array in place of null."""
    return func.coalesce(found.correlate(outer).scalar_subquery(), EMPTY_ARRAY)
