"""A database of the former service with every table filled, made from its catalog.

Row number n of a table refers to row number n of others, so that all rows of a number belong to one tenant.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

import asyncpg

from tests.legacy.values import REFERENCES, VALUES, row_id

SCHEMA = Path(__file__).with_name("schema.sql")
REVISION = "a1c2e3f4b5d6"
FRAMEWORK = {"alembic_version"}
_BEGIN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@dataclass(frozen=True)
class OldColumn:
    """A column as the catalog says it is."""

    name: str
    kind: str
    nullable: bool
    length: int | None
    labels: Sequence[str]
    refers_to: str | None


async def load_schema(connection: asyncpg.Connection) -> None:
    """Make the tables of the former service in an empty database."""
    await connection.execute(SCHEMA.read_text())
    await connection.execute("select pg_catalog.set_config('search_path', 'public', false)")
    await prepare(connection)
    await connection.execute("insert into alembic_version values ($1)", REVISION)


async def prepare(connection: asyncpg.Connection) -> None:
    """Let the connection write rows that refer to each other, or to nothing, past triggers, and JSON as it is."""
    await connection.execute("set session_replication_role = replica")
    for kind in ("json", "jsonb"):
        await connection.set_type_codec(kind, encoder=json.dumps, decoder=json.loads, schema="pg_catalog")


async def tables_of(connection: asyncpg.Connection) -> dict[str, list[OldColumn]]:
    """Return the tables with their columns, as the catalog has them."""
    found: dict[str, list[OldColumn]] = {}
    for row in await connection.fetch(_COLUMNS):
        if row["table_name"] not in FRAMEWORK:
            found.setdefault(row["table_name"], []).append(
                OldColumn(*(row[name] for name in ("name", "kind", "nullable", "length", "labels", "refers_to")))
            )
    return found


_COLUMNS = """
select c.relname as table_name, a.attname as name, format_type(coalesce(nullif(t.typelem, 0), t.oid), null)
         || case when t.typelem <> 0 and t.typcategory = 'A' then '[]' else '' end as kind,
       not a.attnotnull as nullable,
       case when a.atttypmod > 4 and t.typname = 'varchar' then a.atttypmod - 4 end as length,
       array(select e.enumlabel from pg_enum e
             where e.enumtypid in (t.oid, t.typelem) order by e.enumsortorder)::text[] as labels,
       (select f.relname from pg_constraint k join pg_class f on f.oid = k.confrelid
        where k.contype = 'f' and k.conrelid = c.oid and k.conkey = array[a.attnum]) as refers_to
from pg_class c join pg_namespace n on n.oid = c.relnamespace and n.nspname = 'public'
join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
join pg_type t on t.oid = a.atttypid
where c.relkind = 'r' order by c.relname, a.attnum
"""


def made(table: str, columns: Sequence[OldColumn], number: int) -> dict[str, Any]:
    """Return a row of the table."""
    return {column.name: _value(table, column, number) for column in columns}


def _value(table: str, column: OldColumn, number: int) -> Any:
    own = VALUES.get(f"{table}.{column.name}", VALUES.get(column.name, _NONE))
    if own is not _NONE:
        return own(number) if callable(own) else own
    refers_to = column.refers_to or REFERENCES.get(f"{table}.{column.name}")
    if refers_to is not None:
        return row_id(refers_to, number) if refers_to != table else None
    if column.kind.endswith("[]"):
        return [_one(table, column, column.kind.removesuffix("[]"), number)]
    return _one(table, column, column.kind, number)


_NONE = object()


def _one(table: str, column: OldColumn, kind: str, number: int) -> Any:
    if column.labels:
        return column.labels[number % len(column.labels)]
    if kind == "character varying" or kind == "text":
        return f"{table} {column.name} {number}"[-(column.length or 200) :].strip()
    simple: Mapping[str, Any] = {
        "uuid": row_id(table if column.name == "id" else f"{table}.{column.name}", number),
        "boolean": bool(number % 2),
        "integer": number + 1,
        "bigint": 5_000_000_000 + number,
        "double precision": 0.25,
        "numeric": Decimal("1.25"),
        "json": {"number": number},
        "jsonb": {"number": number},
        "timestamp with time zone": _BEGIN + timedelta(minutes=number),
        "timestamp without time zone": (_BEGIN + timedelta(minutes=number)).replace(tzinfo=None),
    }
    return simple[kind]


async def fill(connection: asyncpg.Connection, rows: int) -> None:
    """Put so many rows into every table."""
    for table, columns in (await tables_of(connection)).items():
        await insert(connection, table, [made(table, columns, number) for number in range(rows)])


async def insert(connection: asyncpg.Connection, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Put the rows in."""
    names = list(rows[0])
    columns = ", ".join(f'"{name}"' for name in names)
    marks = ", ".join(f"${place}" for place in range(1, len(names) + 1))
    statement = f'insert into "{table}" ({columns}) values ({marks})'
    await connection.executemany(statement, [[row[name] for name in names] for row in rows])


async def change(connection: asyncpg.Connection, table: str, number: int, **values: Any) -> None:
    """Change a row."""
    sets = ", ".join(f'"{name}" = ${place}' for place, name in enumerate(values, 2))
    await connection.execute(f'update "{table}" set {sets} where id = $1', row_id(table, number), *values.values())


async def add(connection: asyncpg.Connection, table: str, number: int, **values: Any) -> UUID:
    """Put a further row in, which says of itself only what is given, and return its id."""
    columns = (await tables_of(connection))[table]
    row = {**made(table, columns, number), "id": uuid5(NAMESPACE_URL, f"added {table} {values}"), **values}
    await insert(connection, table, [row])
    return UUID(str(row["id"]))


async def fingerprint(connection: asyncpg.Connection) -> dict[str, tuple[int, str]]:
    """Return the number of rows of each table, and a digest of all of them."""
    found = {}
    for table in await tables_of(connection):
        digest = await connection.fetchrow(
            f"select count(*), md5(coalesce(string_agg(t::text, '|' order by t::text), '')) from \"{table}\" t"
        )
        found[table] = (digest[0], digest[1])
    return found
