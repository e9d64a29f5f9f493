"""Writes a table of made rows as one Parquet file, a row group at a time: memory is bounded by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from flightmesh.bench.benchmarks.draws import Integers
from flightmesh.compute import pc

GROUP_ROWS = 1 << 17
Columns: TypeAlias = Mapping[str, pa.Array]


def write_rows(path: Path, count: int, columns: Callable[[range], Columns], group_rows: int = GROUP_ROWS) -> None:
    """`count` rows, at least one, whose columns are made for each range of them. Texts may be dictionaries: they are written
    as such, and read as texts."""
    parts = (pa.RecordBatch.from_pydict(dict(columns(rows))) for rows in _ranges(count, group_rows))
    first = next(parts)
    # Without Arrow's own schema in the file a dictionary is how a column is stored, not its type.
    with pq.ParquetWriter(path, first.schema, store_schema=False) as writer:
        writer.write_batch(first, row_group_size=group_rows)
        for part in parts:
            writer.write_batch(part, row_group_size=group_rows)


def _ranges(count: int, size: int) -> Iterator[range]:
    for start in range(0, count, size):
        yield range(start, min(start + size, count))


def texts_of(codes: Integers, values: pa.Array) -> pa.Array:
    """Texts of a list by their places in it."""
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32)), values)


def numbered(prefix: str, numbers: Integers, digits: int = 0) -> pa.Array:
    """Texts such as `id007`."""
    written = pc.cast(pa.array(numbers), pa.string())
    return pc.binary_join_element_wise(prefix, pc.utf8_lpad(written, digits, "0") if digits else written, "")
