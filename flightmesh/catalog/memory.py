"""Tables in this process's memory, found by key.

Handed anything that Arrow can make a table of; hands on `MemoryTable` descriptions, splits by rows, and batches that share the
stored buffers. What always holds: what is stored has the normalised schema.
"""

from __future__ import annotations

import itertools
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import Any, cast

import pyarrow as pa

from flightmesh.catalog.normalise import cast_array, normalise_schema
from flightmesh.catalog.table import MemorySplit, MemoryTable
from flightmesh.errors import DataError, InternalError, InvalidInput, with_article

_KINDS = "a pyarrow Table, RecordBatch(es), RecordBatchReader or dataset, a pandas DataFrame, or a dict of lists"


class MemoryTables:
    """Key -> table. Every method may be called from any thread."""

    def __init__(self) -> None:
        self._tables: dict[str, pa.Table] = {}
        self._lock = threading.Lock()
        self._numbers = itertools.count()

    def put(self, name: str, data: Any) -> MemoryTable:
        """Stores `data` (see `as_table`) under a fresh key and describes it as a table called `name`."""
        table = normalised(as_table(data))
        with self._lock:
            key = f"{name}#{next(self._numbers)}"
            self._tables[key] = table
        return MemoryTable(name, key, table.schema, table.num_rows, table.nbytes)

    def keep(self, key: str, data: pa.Table) -> None:
        """Stores `data` under a key that its mesh chose; what was there goes."""
        table = normalised(data)
        with self._lock:
            self._tables[key] = table

    def get(self, key: str) -> pa.Table:
        """The table stored under `key`."""
        with self._lock:
            found = self._tables.get(key)
        if found is None:
            raise InternalError(f"no table in memory has the key {key!r}")
        return found

    def drop(self, key: str) -> None:
        """Forgets a table; batches already read keep their buffers."""
        with self._lock:
            self._tables.pop(key, None)


def as_table(data: Any) -> pa.Table:
    """An Arrow table of whatever Arrow can make one of. Raises InvalidInput for other things, and for columns of mixed values.

    A reader is read to its end.
    """
    try:
        if isinstance(data, pa.Table):
            return data
        if isinstance(data, pa.RecordBatch):
            return pa.Table.from_batches([data])
        if isinstance(data, pa.RecordBatchReader):
            return data.read_all()
        if _is_a(data, "pyarrow.dataset", "Dataset"):
            return cast("pa.Table", data.to_table(use_threads=False))
        if _is_a(data, "pandas", "DataFrame"):
            # Through the stream interface the index would become a column.
            return pa.Table.from_pandas(data, preserve_index=False)
        if isinstance(data, dict):
            return pa.table(data)
        if isinstance(data, list | tuple) and data and all(isinstance(part, pa.RecordBatch) for part in data):
            return pa.Table.from_batches(list(data))
        if hasattr(data, "__arrow_c_stream__"):
            return pa.RecordBatchReader.from_stream(data).read_all()
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise InvalidInput(f"the data does not make a table: {error}", hint="each column needs values of one type") from None
    raise InvalidInput(f"{with_article(type(data).__name__)} is not a table", hint=f"give {_KINDS}")


def _is_a(data: Any, module: str, name: str) -> bool:
    """Whether `data` is of a class of a module that is not imported for this question: if it is not, `data` is not of it."""
    found = sys.modules.get(module)
    return found is not None and isinstance(data, getattr(found, name))


def normalised(table: pa.Table) -> pa.Table:
    """The table with the types that the engine computes with. Raises InvalidInput where two columns have one name."""
    names = table.schema.names
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InvalidInput(f"two columns are named {twice!r}", hint="give each column its own name")
    schema = normalise_schema(table.schema)
    columns = []
    for entry, column in zip(schema, table.columns, strict=True):
        if column.type != entry.type:
            try:
                chunks = [cast_array(chunk, entry.type, entry.name) for chunk in column.chunks]
            except DataError as error:
                raise InvalidInput(error.message) from None
            column = pa.chunked_array(chunks, entry.type)
        columns.append(column)
    if not columns:
        return table
    return pa.table(columns, schema=schema)


def splits(table: MemoryTable, split_rows: int) -> tuple[MemorySplit, ...]:
    """The table's rows in shares of at most `split_rows`; on a mesh, those of each of its parts."""
    size = table.bytes // table.rows if table.rows else 0
    found = []
    places: list[tuple[str | None, str | None, int]] = [(part.holder, part.address, part.rows) for part in table.parts]
    for holder, address, count in places or [(None, None, table.rows)]:
        for offset in range(0, count, split_rows):
            rows = min(split_rows, count - offset)
            found.append(MemorySplit(offset, rows, rows * size, holder, address))
    return tuple(found)


def read(data: pa.Table, split: MemorySplit, columns: Sequence[str], morsel_rows: int) -> Iterator[pa.RecordBatch]:
    """The split's rows as batches that share the table's buffers."""
    part = data.select(list(columns)).slice(split.offset, split.rows)
    for batch in part.to_batches(max_chunksize=morsel_rows):
        if batch.num_rows:
            yield batch
