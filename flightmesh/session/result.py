"""The result of a query: planned when it is made, run when its rows are first asked for.

Handed a way to submit the job; hands on its rows as Arrow, as they come or all at once. What always holds: columns have
the user's names (which may repeat) and the engine's types; whoever stops reading early, by closing, an error or Ctrl-C,
cancels the job.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from flightmesh.driver.record import JobRecord, Progress
from flightmesh.errors import InternalError
from flightmesh.session.engine import Job
from flightmesh.session.reader import ResultReader
from flightmesh.session.render import render_table

if TYPE_CHECKING:
    import pandas

NOT_STARTED = Progress(0, 0, 0, 0)


class Result:
    """Rows of a query. May be shared between threads; each reader runs the query unless `to_arrow` has kept its rows."""

    def __init__(self, schema: pa.Schema, submit: Callable[[], Job] | None, table: pa.Table | None = None) -> None:
        self.schema = schema
        self._submit = submit
        self._table = table
        self._handle: Job | None = None
        self._lock = threading.Lock()

    @classmethod
    def of_table(cls, table: pa.Table) -> Result:
        """A result whose rows are there already."""
        return cls(table.schema, None, table)

    def to_arrow(self) -> pa.Table:
        """All rows. Kept, so that asking again costs nothing. Raises ResourceExhausted when they do not fit the memory
        budget while they are gathered; a table that is complete is the caller's and counts no more."""
        with self._lock:
            if self._table is None:
                batches = [self._named(batch) for batch in self._start().gather()]
                self._table = pa.Table.from_batches(batches, self.schema)
            return self._table

    def to_reader(self) -> ResultReader:
        """The rows as they come. Closing the reader early cancels the query."""
        return ResultReader(self.schema, iter(self))

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """The rows for any library that reads Arrow streams."""
        return self.to_reader().__arrow_c_stream__(requested_schema)

    def to_pandas(self, **options: Any) -> pandas.DataFrame:
        """All rows as a DataFrame; `options` as `pyarrow.Table.to_pandas` takes them."""
        return self.to_arrow().to_pandas(**options)

    def show(self, limit: int = 40) -> None:
        """Prints the rows as a table, at most `limit` of them (0: all)."""
        print(render_table(self.to_arrow(), max_rows=limit))

    def progress(self) -> Progress:
        """How far the query is. May be asked from any thread, at any time."""
        handle = self._handle
        return NOT_STARTED if handle is None else handle.progress

    def cancel(self) -> None:
        """Ends the query if it runs: who reads it gets a Cancelled error."""
        handle = self._handle
        if handle is not None:
            handle.cancel()

    @property
    def metrics(self) -> JobRecord | None:
        """What the query did, stage by stage, once it has ended; None before, and for results that needed no job."""
        handle = self._handle
        return None if handle is None else handle.record

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """The batches as they come."""
        if self._table is not None:
            return iter(self._table.to_batches())
        return self._run()

    def __len__(self) -> int:
        return int(self.to_arrow().num_rows)

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        columns = ", ".join(f"{field.name}: {field.type}" for field in self.schema)
        count = None if self._table is None else self._table.num_rows
        rows = "not run yet" if count is None else "1 row" if count == 1 else f"{count:,} rows"
        return f"<Result ({columns}), {rows}>"

    def _run(self) -> Iterator[pa.RecordBatch]:
        for batch in self._start().batches():
            yield self._named(batch)

    def _start(self) -> Job:
        if self._submit is None:
            raise InternalError("a result has neither rows nor a query")
        self._handle = handle = self._submit()
        return handle

    def _named(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        return pa.RecordBatch.from_arrays(batch.columns, schema=self.schema)
