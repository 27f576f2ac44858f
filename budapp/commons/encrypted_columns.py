"""Sealed columns: text that lies encrypted in the database, each under a context of its row's own.

    client_secret_encrypted: Mapped[str] = sealed("tenant_client:{tenant_id}")

declares one. That is all there is to do for `budapp keys` to find it.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from string import Formatter
from typing import Any

from sqlalchemy import Column, MetaData, Table
from sqlalchemy.orm import InstrumentedAttribute, MappedColumn, mapped_column

from budapp.commons.database import Base
from budapp.commons.encryption import Encryption

_CONTEXT = "sealed_context"


@dataclass(frozen=True, slots=True)
class SealedColumn:
    """A sealed column, and the other columns of its row that its context is made of."""

    table: Table
    column: Column[Any]
    template: str

    def __str__(self) -> str:
        return f"{self.table.name}.{self.column.name}"

    @property
    def parts(self) -> list[Column[Any]]:
        """The columns that the context names."""
        return [self.table.c[name] for _, name, _, _ in Formatter().parse(self.template) if name]

    def context(self, value_of: Callable[[str], object]) -> str:
        """Return the context of one row.

        Raises:
            ValueError: the row lacks a value that the context names.
        """
        values = {part.name: value_of(part.name) for part in self.parts}
        missing = [name for name, value in values.items() if value is None]
        if missing:
            raise ValueError(f"{self} can only be sealed once the row has {', '.join(missing)}")
        return self.template.format_map(values)

    def reseal(self, encryption: Encryption, row: Mapping[str, Any]) -> str:
        """Return the row's text, sealed with the current key.

        Raises:
            DecryptionError: the text can't be opened.
        """
        context = self.context(row.__getitem__)
        return encryption.encrypt(encryption.decrypt(row[self.column.name], context), context)


def sealed(context: str) -> MappedColumn[Any]:
    """Declare a column of sealed text; its name says `encrypted`.

    Args:
        context: where the secret belongs: columns of the same row that never change, such as `tenant_client:{id}`.
    """
    return mapped_column(info={_CONTEXT: context})


def sealed_columns(metadata: MetaData) -> Iterator[SealedColumn]:
    """Return every sealed column."""
    for table in metadata.sorted_tables:
        for column in table.c:
            if _CONTEXT in column.info:
                yield SealedColumn(table, column, column.info[_CONTEXT])


def seal(encryption: Encryption, row: Base, attribute: InstrumentedAttribute[Any], text: str) -> None:
    """Set the row's sealed column, as in `seal(encryption, client, TenantClient.client_secret_encrypted, secret)`.

    Raises:
        ValueError: the row lacks a value that the context names, such as an id before the flush.
    """
    setattr(row, attribute.key, encryption.encrypt(text, _context_of(row, attribute)))


def unseal(encryption: Encryption, row: Base, attribute: InstrumentedAttribute[Any]) -> str:
    """Return the text of the row's sealed column.

    Raises:
        DecryptionError: it was sealed elsewhere or changed, or its key is gone.
    """
    return encryption.decrypt(getattr(row, attribute.key), _context_of(row, attribute))


def _context_of(row: Base, attribute: InstrumentedAttribute[Any]) -> str:
    column = attribute.property.columns[0]
    return SealedColumn(column.table, column, column.info[_CONTEXT]).context(lambda name: getattr(row, name))
