"""Apache Parquet. Every page is decoded, so that what is damaged shows; memory does not grow with the file."""

from collections.abc import Callable, Iterable, Iterator

import pyarrow as pa
from pyarrow import parquet

from budapp.dataset_ops.reading.cells import Sample, show_arrow
from budapp.dataset_ops.reading.formats import check_names, check_storable, columns_of, quoted, refuse_repeated
from budapp.dataset_ops.reading.protocol import Findings, UnreadableFile
from budapp.dataset_ops.reading.sources import BUFFER_BYTES, SeekableFile, Source
from budapp.dataset_ops.reading.types import name_of

_ENCRYPTED = b"PARE"
_MOST_ROWS_AT_ONCE = 1000
_BYTES_AT_ONCE = 16 * 1024 * 1024
_DEEPEST = 30
_DAMAGED = (pa.ArrowException, OSError, ValueError, TypeError, OverflowError)


def examine_parquet(source: Source) -> Findings:
    """Read the whole file.

    Raises:
        UnreadableFile, StoreFailed, FileGone: see the classes.
    """
    with source.stream() as stream:
        checksum = stream.checksum()
    file = _opened(source)
    schema = file.schema_arrow
    check_names(list(schema.names))
    for column in schema:
        _check_type(column.name, column.type)
    sample = Sample()
    row_count = sum(_read_group(file, number, sample) for number in range(file.num_row_groups))
    if row_count != file.metadata.num_rows:
        raise UnreadableFile(f"The footer says {file.metadata.num_rows:,} rows, but the file has {row_count:,}")
    return Findings(
        columns_of({column.name: name_of(column.type) for column in schema}), row_count, checksum, sample.rows
    )


def _opened(source: Source) -> parquet.ParquetFile:
    try:
        # Without pre_buffer, column chunks come in pieces of the buffer's size instead of whole row groups.
        return parquet.ParquetFile(
            pa.PythonFile(SeekableFile(source), mode="r"),
            pre_buffer=False,
            buffer_size=BUFFER_BYTES,
            page_checksum_verification=True,
        )
    except MemoryError:
        raise
    except _DAMAGED as error:
        if source.size >= 12 and source.range(source.size - 4, 4) == _ENCRYPTED:
            raise UnreadableFile("The file is encrypted") from error
        raise UnreadableFile("This is not a Parquet file, or its footer is damaged") from error


def _check_type(place: str, kind: pa.DataType, depth: int = 0) -> None:
    """Refuse what JSON can't show: members with the same name, or nesting without end."""
    if depth > _DEEPEST:
        raise UnreadableFile(f"Column {quoted(place)}: values are nested more than {_DEEPEST} deep")
    members = [kind.field(number) for number in range(kind.num_fields)]
    check_storable(member.name for member in members)
    if pa.types.is_struct(kind):
        refuse_repeated((member.name for member in members), f"Column {quoted(place)}: duplicate field name {{}}")
    for member in members:
        _check_type(place, member.type, depth + 1)


def _read_group(file: parquet.ParquetFile, number: int, sample: Sample) -> int:
    """Decode a row group, and return the number of its rows."""
    try:
        row_count = 0
        for batch in _batches(file, number):
            batch.validate(full=True)
            row_count += batch.num_rows
            _show(batch, sample)
    except MemoryError:
        raise
    except _DAMAGED as error:
        column = _first(lambda name: _is_damaged(file, number, name), file.schema_arrow.names)
        place = f", column {quoted(column)}" if column is not None else ""
        raise UnreadableFile(f"Row group {number + 1}{place}: the content is damaged") from error
    return row_count


def _batches(file: parquet.ParquetFile, number: int, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
    group = file.metadata.row_group(number)
    row_bytes = max(1, group.total_byte_size // max(1, group.num_rows))
    rows = max(1, min(_MOST_ROWS_AT_ONCE, _BYTES_AT_ONCE // row_bytes))
    batches: Iterator[pa.RecordBatch] = file.iter_batches(
        batch_size=rows, row_groups=[number], columns=columns, use_threads=False
    )
    return batches


def _is_damaged(file: parquet.ParquetFile, number: int, column: str) -> bool:
    try:
        for batch in _batches(file, number, [column]):
            batch.validate(full=True)
    except MemoryError:
        raise
    except _DAMAGED:
        return True
    return False


def _first(holds: Callable[[str], bool], names: Iterable[str]) -> str | None:
    return next((name for name in names if holds(name)), None)


def _show(batch: pa.RecordBatch, sample: Sample) -> None:
    for number in range(batch.num_rows):
        if sample.full:
            return
        sample.add({name: batch[name][number] for name in batch.schema.names}, show_arrow)
