"""Values from outside, made such that a column of ours holds them, or refused with a reason."""

import math
import re
from collections.abc import Callable, Mapping
from datetime import MAXYEAR, MINYEAR, UTC, date, datetime
from decimal import Decimal, InvalidOperation
from functools import cache
from inspect import get_annotations
from typing import Any, get_args
from uuid import UUID

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Float,
    Integer,
    Numeric,
    PrimaryKeyConstraint,
    String,
    Table,
    UniqueConstraint,
    Uuid,
    null,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine

from budapp.commons.database import Base
from budapp.commons.encrypted_columns import SealedColumn, sealed_columns
from budapp.commons.encryption import Encryption
from budapp.commons.storable import cleaned
from budapp.legacy_ops.declarations import UNREADABLE, Left

_ONE_OF = re.compile(r"(\w+) in \(((?:'[^']*'(?:, )?)+)\)", re.IGNORECASE)
_INT32, _INT64 = 1 << 31, 1 << 63


def fit(column: Column[Any], value: Any, remark: Callable[[str], None]) -> Any:
    """Return the value as the column holds it; its default where there is none.

    Raises:
        Left: the column can't hold it.
    """
    if value is None:
        return _absent(column)
    if isinstance(column.type, JSONB) and not _has_form(column, value):
        if not column.nullable and column.default is None:
            raise Left(f"its {column.name} has another form than here")
        remark(f"without its {column.name}, which has another form than here")
        return _absent(column)
    fitted = _fit(column.type, column.name, value, remark)
    allowed = allowed_values(column)
    if allowed is not None and fitted not in allowed:
        raise Left(f"there is no {column.name} {str(fitted)[:50]!r} here")
    return fitted


def _absent(column: Column[Any]) -> Any:
    default: Any = column.default
    if default is not None and not column.primary_key and not column.nullable:
        return default.arg(None) if default.is_callable else default.arg
    if not column.nullable:
        raise Left(f"it has no {column.name}")
    return None


def _fit(kind: TypeEngine[Any], name: str, value: Any, remark: Callable[[str], None]) -> Any:
    for types, convert in _CONVERSIONS:
        if isinstance(kind, types):
            return convert(kind, name, value, remark)
    raise TypeError(f"{name} has a type that is not foreseen: {kind!r}")


def _text(kind: Any, name: str, value: Any, _remark: Callable[[str], None]) -> str:
    text = str(value)
    if kind.length is not None and len(text) > kind.length:
        raise Left(f"its {name} is longer than {kind.length} characters")
    if cleaned(text)[1]:
        raise Left(f"its {name} has a character that can't be stored")
    return text


def _integer(kind: Any, name: str, value: Any, _remark: Callable[[str], None]) -> int:
    limit = _INT64 if isinstance(kind, BigInteger) else _INT32
    if isinstance(value, float) and not math.isfinite(value):
        raise Left(f"its {name} is no number")
    whole: int = round(value)
    if not -limit <= whole < limit:
        raise Left(f"its {name} is too large")
    return whole


def _number(kind: Any, name: str, value: Any, _remark: Callable[[str], None]) -> Any:
    if isinstance(kind, Float):
        return float(value)
    try:
        number = Decimal(str(value))
        places = kind.scale or 0
        rounded = number.quantize(Decimal(1).scaleb(-places))
    except InvalidOperation:
        raise Left(f"its {name} is no number, or too large") from None
    if not rounded.is_finite() or abs(rounded) >= Decimal(10) ** (kind.precision - places):
        raise Left(f"its {name} is no number, or too large")
    return rounded


def _moment(_kind: Any, name: str, value: Any, _remark: Callable[[str], None]) -> datetime:
    if not isinstance(value, datetime):
        raise Left(f"its {name} is no moment")
    if value.year in {MINYEAR, MAXYEAR}:  # what `infinity` is read as
        raise Left(f"its {name} is infinite")
    return value if value.tzinfo is not None else value.replace(tzinfo=UTC)


def _date(_kind: Any, name: str, value: Any, _remark: Callable[[str], None]) -> date:
    if not isinstance(value, date):
        raise Left(f"its {name} is no date")
    return value.date() if isinstance(value, datetime) else value


def _json(_kind: Any, name: str, value: Any, remark: Callable[[str], None]) -> Any:
    if value is UNREADABLE:
        raise Left(f"its {name} can't be read: it is nested too deeply, or has a number without end")
    clean, problem = cleaned(value)
    if problem:
        remark(f"{problem.split(', at ')[0]} in its {name} was replaced")
    return clean


def _list(kind: Any, name: str, value: Any, remark: Callable[[str], None]) -> list[Any]:
    if not isinstance(value, list | tuple):
        raise Left(f"its {name} is no list")
    return [_fit(kind.item_type, name, item, remark) for item in value if item is not None]


def _boolean(_kind: Any, _name: str, value: Any, _remark: Callable[[str], None]) -> bool:
    return bool(value)


def _uuid(_kind: Any, name: str, value: Any, _remark: Callable[[str], None]) -> UUID:
    try:
        return value if isinstance(value, UUID) else UUID(str(value))
    except ValueError:
        raise Left(f"its {name} is no id") from None


_CONVERSIONS: tuple[tuple[tuple[type[Any], ...], Callable[..., Any]], ...] = (
    ((Boolean,), _boolean),
    ((Uuid,), _uuid),
    ((JSONB,), _json),
    ((ARRAY,), _list),
    ((DateTime,), _moment),
    ((Date,), _date),
    ((Integer,), _integer),
    ((Numeric, Float), _number),
    ((String,), _text),
)


def _has_form(column: Column[Any], value: Any) -> bool:
    """Tell whether JSON is what the model says, such as a list of objects: whoever shows it relies on that."""
    if value is UNREADABLE:
        return True  # said in words later
    try:
        _form_of(column).validate_python(value, strict=True)
    except ValidationError:
        return False
    return True


@cache
def _form_of(column: Column[Any]) -> TypeAdapter[Any]:
    model = next(mapper.class_ for mapper in Base.registry.mappers if mapper.local_table is column.table)
    annotations = next(found for one in model.__mro__ if column.name in (found := get_annotations(one)))
    return TypeAdapter(get_args(annotations[column.name])[0])


@cache
def _enumerations(table: Table) -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for constraint in table.constraints:
        says = _ONE_OF.fullmatch(str(constraint.sqltext)) if isinstance(constraint, CheckConstraint) else None
        if says:
            found[says[1]] = frozenset(re.findall(r"'([^']*)'", says[2]))
    return found


def allowed_values(column: Column[Any]) -> frozenset[str] | None:
    """Return the values that the column's table allows in it; None where it allows all."""
    return _enumerations(column.table).get(column.name)


@cache
def _sealed_of(table: Table) -> tuple[SealedColumn, ...]:
    return tuple(one for one in sealed_columns(table.metadata) if one.table is table)


def seal_all(encryption: Encryption, table: Table, row: dict[str, Any]) -> None:
    """Seal the row's secrets, which are in clear until then."""
    for sealed in _sealed_of(table):
        name = sealed.column.name
        if row.get(name) is not None:
            row[name] = encryption.encrypt(row[name], sealed.context(row.__getitem__))


def for_insert(table: Table, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row as it is handed to PostgreSQL: no JSON is null, not the JSON `null`."""
    return {
        name: null() if value is None and isinstance(table.c[name].type, JSONB) else value
        for name, value in row.items()
    }


def reason_of(table: Table, constraint: str | None, detail: str) -> str:
    """Return why a row was refused that broke the constraint, in words."""
    for index in table.indexes:
        if index.name == constraint:
            return _taken([str(part) for part in index.expressions], table.name)
    for one in table.constraints:
        if str(one.name) == constraint and isinstance(one, UniqueConstraint | PrimaryKeyConstraint):
            return _taken([part.name for part in one.columns], table.name)
        if str(one.name) == constraint and isinstance(one, CheckConstraint):
            return f"here it must be that {one.sqltext}"
    return f"our table refuses it: {constraint or detail}"


def _taken(parts: list[str], table: str) -> str:
    names = [re.sub(r"lower\((.*)\)", r"\1", part).removeprefix(f"{table}.").strip('"') for part in parts]
    plain = [name.rpartition(".")[2].strip('")') for name in names]
    return (
        f"another {table} has the same {', '.join(name for name in plain if name != 'tenant_id') or 'tenant'} already"
    )


def table_of(model: type[Base]) -> Table:
    """Return the table of the model."""
    table = model.__table__
    assert isinstance(table, Table)
    return table
