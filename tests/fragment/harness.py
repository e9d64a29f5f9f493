"""A task context that lives in a test, and small builders of operators over tables in it."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager

import pyarrow as pa

from flightmesh.catalog.metrics import ReadMetrics
from flightmesh.catalog.narrowing import MayMatch
from flightmesh.catalog.table import MemorySplit, MemoryTable, Split, Table
from flightmesh.errors import Cancelled, ResourceExhausted
from flightmesh.expression.nodes import Field
from flightmesh.fragment.run import FragmentRun, run_fragment
from flightmesh.fragment.task import SharedSlot
from flightmesh.ids import AttemptId, ColumnId, EdgeId, JobId, StageId, TaskId
from flightmesh.kernel.key_filter import KeyFilter
from flightmesh.physical.operators import ColumnOrder, Operator, ReadExchange


class Context:
    """One task's context: tables and edges are dictionaries, memory is counted, shared objects may be shared with other
    contexts.
    """

    def __init__(self, *, morsel_rows: int = 7, task: int = 0, budget: int | None = None, stage: int = 1) -> None:
        self.attempt = AttemptId(TaskId(JobId(1), StageId(stage), task), 0)
        self.morsel_rows = morsel_rows
        self.tables: dict[str, pa.Table] = {}
        self.splits: dict[int, list[Split]] = {}
        self.edges: dict[EdgeId, list[list[pa.RecordBatch]]] = {}
        self.slots: dict[object, SharedSlot] = {}
        self.budget = budget
        self.held = 0
        self.peak = 0
        self.checks = 0
        self.cancel_after: int | None = None
        self.closed: list[str] = []

    def check(self) -> None:
        self.checks += 1
        if self.cancel_after is not None and self.checks > self.cancel_after:
            raise Cancelled("the test cancelled this attempt")

    def next_split(self, source: int) -> Split | None:
        waiting = self.splits.get(source, [])
        return waiting.pop(0) if waiting else None

    def key_filter(self, number: int) -> KeyFilter | None:
        return None

    def await_keys(self, numbers: Collection[int], seconds: float) -> None:
        return

    def narrowed(self, table: Table, split: Split, columns: Mapping[str, MayMatch]) -> Split | None:
        return split

    def read_table(
        self, table: Table, split: Split, columns: tuple[str, ...], metrics: ReadMetrics | None = None
    ) -> Iterator[pa.RecordBatch]:
        assert isinstance(table, MemoryTable)
        assert isinstance(split, MemorySplit)
        rows = self.tables[table.key].slice(split.offset, split.rows).combine_chunks()
        for batch in rows.to_batches(max_chunksize=self.morsel_rows):
            yield batch.select(list(columns))

    def read_edge(self, edge: EdgeId) -> Iterator[pa.RecordBatch]:
        return self._closing(f"edge {edge}", itertools.chain.from_iterable(self.edges[edge]))

    def read_edge_runs(self, edge: EdgeId) -> list[Iterator[pa.RecordBatch]]:
        return [iter(run) for run in self.edges[edge]]

    def _closing(self, name: str, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        try:
            yield from batches
        finally:
            self.closed.append(name)

    @contextmanager
    def shared(self, key: object) -> Iterator[SharedSlot]:
        yield self.slots.setdefault(key, SharedSlot())

    def reserve(self, bytes_wanted: int, purpose: str) -> None:
        if self.budget is not None and self.held + bytes_wanted > self.budget:
            raise ResourceExhausted(f"no memory left for {purpose}")
        self.held += bytes_wanted
        self.peak = max(self.peak, self.held)

    def release(self, bytes_given_back: int) -> None:
        self.held -= bytes_given_back
        assert self.held >= 0


class Tables:
    """Gives tables column ids and makes them readable as edges of a context."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self._ids = itertools.count(1)

    def fields(self, schema: pa.Schema) -> tuple[Field, ...]:
        return tuple(Field(ColumnId(next(self._ids)), f.name, f.type) for f in schema)

    def edge(self, table: pa.Table, *, batch_rows: int = 5, runs: int = 1, order: tuple[ColumnOrder, ...] = ()) -> ReadExchange:
        """The table as an edge of `runs` producers, its rows dealt in blocks."""
        fields = self.fields(table.schema)
        edge = EdgeId(len(self.context.edges) + 1)
        share = -(-table.num_rows // runs) if table.num_rows else 0
        parts = [table.slice(i * share, share) for i in range(runs)]
        self.context.edges[edge] = [batches_of(part, fields, batch_rows) for part in parts]
        return ReadExchange(edge, fields, order)


def batches_of(table: pa.Table, fields: tuple[Field, ...], rows: int) -> list[pa.RecordBatch]:
    named = table.rename_columns([f.key for f in fields])
    return named.combine_chunks().to_batches(max_chunksize=rows)


def run(root: Operator, context: Context) -> pa.Table:
    """The fragment's whole output under the names of its fields; checks batch sizes, metrics and that memory was given back."""
    fragment = run_fragment(root, context)
    batches = list(fragment)
    fragment.close()
    assert context.held == 0 or context.slots, "memory was not given back"
    assert fragment.metrics[0].rows == sum(b.num_rows for b in batches)
    assert all(b.schema.names == [f.key for f in root.fields] for b in batches)
    assert all(b.schema.types == [f.type for f in root.fields] for b in batches)
    return as_table(root.fields, batches)


def as_table(fields: tuple[Field, ...], batches: list[pa.RecordBatch]) -> pa.Table:
    schema = pa.schema([pa.field(f.key, f.type) for f in fields])
    table = pa.Table.from_batches(batches, schema) if batches else schema.empty_table()
    return table.rename_columns([f.name for f in fields])


def start(root: Operator, context: Context) -> FragmentRun:
    return run_fragment(root, context)


def field_named(node: Operator, name: str) -> Field:
    return next(f for f in node.fields if f.name == name)
