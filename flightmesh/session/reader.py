"""A result's rows as a stream, with the methods of `pyarrow.RecordBatchReader`.

Handed an iterator of batches; hands them on one at a time. What always holds: closing it, or dropping it, ends the query
at once. (pyarrow's own reader over a Python iterator does not close the iterator, and a C stream loses the types of
errors; so this is a class of its own, which anything that takes `__arrow_c_stream__` reads: pyarrow, pandas, Polars, DuckDB.)
"""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any

import pyarrow as pa

if TYPE_CHECKING:
    import pandas


class ResultReader:
    """Batches of `schema`, once. A context manager and an iterator."""

    def __init__(self, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> None:
        self.schema = schema
        self._batches = batches

    def read_next_batch(self) -> pa.RecordBatch:
        """The next batch, waited for if need be. Raises StopIteration at the end."""
        return next(self._batches)

    def read_all(self) -> pa.Table:
        """The rest of the rows."""
        return pa.Table.from_batches(list(self._batches), self.schema)

    def read_pandas(self, **options: Any) -> pandas.DataFrame:
        """The rest of the rows as a DataFrame."""
        return self.read_all().to_pandas(**options)

    def close(self) -> None:
        """Ends the query, if it still runs. Repeating it is harmless."""
        close = getattr(self._batches, "close", None)
        if close is not None:
            close()
        self._batches = iter(())

    def __iter__(self) -> ResultReader:
        return self

    def __next__(self) -> pa.RecordBatch:
        return next(self._batches)

    def __enter__(self) -> ResultReader:
        return self

    def __exit__(self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """The rest of the rows for any library that reads Arrow streams."""
        return pa.RecordBatchReader.from_batches(self.schema, self).__arrow_c_stream__(requested_schema)
