"""What a client sends to a mesh as a table: its own files, or data in its memory.

Handed a path or whatever Arrow can make a table of; hands on a schema and batches of a size that travels well. What always
holds: types are the engine's (dictionaries and views are decoded), files are read a batch at a time and never whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

from flightmesh.catalog.memory import as_table
from flightmesh.catalog.named_files import Source
from flightmesh.catalog.normalise import cast_array, normalise_schema
from flightmesh.catalog.open import open_table
from flightmesh.catalog.scan import read_split, splits
from flightmesh.catalog.table import FileTable, Format, Storage
from flightmesh.dataclass import dataclass
from flightmesh.errors import DataError, InvalidInput

BATCH_ROWS = 65_536
_SMALL_ROWS = 4_096
"""Chunks smaller than this on average are put together before they are sent."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows on their way to a mesh, once."""

    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]


def rows_of_files(
    name: str, source: Source, format: Format | str | None, options: Mapping[str, str], storage: Storage | None = None
) -> Rows:
    """The rows of this machine's files. Raises InvalidInput when they cannot be read."""
    table = open_table(name, source, format=format, options=options, storage=storage)
    return Rows(table.schema, _file_batches(table))


def rows_of_data(data: Any) -> Rows:
    """The rows of a pyarrow table, batch, reader or dataset, a pandas frame, a dict of lists. Raises InvalidInput."""
    if isinstance(data, pa.RecordBatchReader):
        return _normal(data.schema, iter(data))
    table = as_table(data)
    chunks = max((column.num_chunks for column in table.columns), default=0)
    if chunks > 1 and table.num_rows < chunks * _SMALL_ROWS:
        table = table.combine_chunks()
    return _normal(table.schema, iter(table.to_batches(max_chunksize=BATCH_ROWS)))


def _file_batches(table: FileTable) -> Iterator[pa.RecordBatch]:
    names = table.schema.names
    for split in splits(table):
        yield from read_split(table, split, names, morsel_rows=BATCH_ROWS)


def _normal(schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> Rows:
    names = schema.names
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InvalidInput(f"two columns are named {twice!r}", hint="give each column its own name")
    wanted = normalise_schema(schema)
    return Rows(wanted, (part for batch in batches for part in _cut(_cast(batch, wanted))))


def _cast(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    try:
        columns = [cast_array(column, field.type, field.name) for column, field in zip(batch.columns, schema, strict=True)]
    except DataError as error:
        raise InvalidInput(error.message) from None
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _cut(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    for offset in range(0, batch.num_rows, BATCH_ROWS):
        yield batch.slice(offset, BATCH_ROWS)
