"""Scans, constant rows, filters, projections, unions; metrics, cancelling and closing of a whole pipeline."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from flightmesh.catalog.metrics import ReadMetrics
from flightmesh.catalog.table import MemorySplit, MemoryTable, Split, Table
from flightmesh.errors import Cancelled, InternalError
from flightmesh.expression.nodes import Call, Expression, Field, Literal
from flightmesh.ids import ColumnId
from flightmesh.logical.relations import Item
from flightmesh.physical.operators import (
    Exchange,
    FilterRows,
    GroupBy,
    GroupPhase,
    LimitRows,
    Measure,
    ProjectColumns,
    ReadExchange,
    TableScan,
    UnionRows,
    ValuesRows,
)
from flightmesh.physical.partitioning import Single
from tests.comparison import assert_same_order, rows_of
from tests.fragment.harness import Context, Tables, run, start

ROWS = pa.table({"a": range(50), "b": [None if i % 7 == 0 else f"b{i % 5}" for i in range(50)]})


def above(field: Field, bound: int) -> Expression:
    return Call("greater", (field.column(), Literal(pa.scalar(bound, pa.int64()))), pa.bool_())


def scan(context: Context, *, filters: bool = False, keep: tuple[int, ...] = (0, 1), limit: int | None = None) -> TableScan:
    table = MemoryTable("t", "t", ROWS.schema, ROWS.num_rows, ROWS.nbytes)
    context.tables["t"] = ROWS
    context.splits[3] = [MemorySplit(0, 20), MemorySplit(20, 0), MemorySplit(20, 30)]
    fields = Tables(context).fields(ROWS.schema)
    predicate = (above(fields[0], 30),) if filters else ()
    return TableScan(table, 3, fields, predicate, tuple(fields[i] for i in keep), limit)


def test_a_scan_reads_every_split() -> None:
    context = Context()
    assert_same_order(run(scan(context), context), ROWS)


def test_a_scan_filters_and_drops_columns_that_only_the_filter_reads() -> None:
    context = Context()
    got = run(scan(context, filters=True, keep=(1,)), context)
    assert got.column_names == ["b"]
    assert got.column("b").to_pylist() == ROWS.column("b").to_pylist()[31:]


class DictionaryContext(Context):
    """Hands strings on as dictionaries, another one in every batch, as a reader of Parquet may."""

    def read_table(
        self, table: Table, split: Split, columns: tuple[str, ...], metrics: ReadMetrics | None = None
    ) -> Iterator[pa.RecordBatch]:
        for batch in super().read_table(table, split, columns):
            columns_ = [c.dictionary_encode() if pa.types.is_string(c.type) else c for c in batch.columns]
            yield pa.RecordBatch.from_arrays(columns_, names=batch.schema.names)


class NotingContext(Context):
    """Says more of columns in every other batch: that there are no NULLs, and notes of a file."""

    def read_table(
        self, table: Table, split: Split, columns: tuple[str, ...], metrics: ReadMetrics | None = None
    ) -> Iterator[pa.RecordBatch]:
        for number, batch in enumerate(super().read_table(table, split, columns)):
            noted = [f.with_nullable(False) if f.name == "a" else f.with_metadata({"k": "v"}) for f in batch.schema]
            schema = pa.schema(noted, {"of": "a file"}) if number // 2 % 2 else None
            yield batch if schema is None or not columns else pa.RecordBatch.from_arrays(batch.columns, schema=schema)


@pytest.mark.parametrize("make", [Context, NotingContext])
@pytest.mark.parametrize("names", [("a", "b"), ("b", "a"), ("b",), ("a", "a"), ("b", "a", "b"), ()])
def test_all_batches_of_a_scan_have_one_schema(make: type[Context], names: tuple[str, ...]) -> None:
    context = make(morsel_rows=3)
    fields = tuple(Field(ColumnId(number), name, ROWS.schema.field(name).type) for number, name in enumerate(names, 7))
    node = replace(scan(context), columns=fields, fields=fields)
    plain = pa.schema([(f.key, f.type) for f in fields])
    got = list(start(node, context))
    assert all(batch.schema.equals(plain, check_metadata=True) for batch in got)
    assert sum(batch.num_rows for batch in got) == ROWS.num_rows
    for position, name in enumerate(names):
        assert pa.chunked_array([batch.column(position) for batch in got]).equals(ROWS.column(name))


@pytest.mark.parametrize("make", [Context, DictionaryContext])
@pytest.mark.parametrize(
    ("function", "other", "keep"),
    [
        ("equal", "b1", lambda a, b: b == "b1" and a > 30),
        ("not_equal", "b1", lambda a, b: b is not None and b != "b1" and a > 30),
        ("is_null", None, lambda a, b: b is None and a > 30),
        ("less", "b", lambda a, b: False),
    ],
)
def test_filters_over_strings_see_plain_values_and_dictionaries_alike(
    make: type[Context], function: str, other: str | None, keep: Callable[[int, str | None], bool]
) -> None:
    context = make(morsel_rows=17)
    node = scan(context, filters=True)
    b = node.columns[1].column()
    arguments = (b,) if other is None else (b, Literal(pa.scalar(other)))
    node = replace(node, filters=(*node.filters, Call(function, arguments, pa.bool_())))
    got = run(node, context)
    assert got.column("b").type == pa.string()
    assert rows_of(got) == [row for row in rows_of(ROWS) if keep(*row)]


def test_a_scan_counts_what_it_read() -> None:
    context = Context()
    fragment = start(scan(context, filters=True), context)
    list(fragment)
    assert fragment.metrics[0].rows == 19
    assert fragment.metrics[0].details["rows_read"] == 50
    assert fragment.metrics[0].details["splits"] == 3


def test_a_scan_with_a_limit_asks_for_no_more_splits_than_it_needs() -> None:
    context = Context()
    assert run(scan(context, limit=9), context).num_rows == 9
    assert len(context.splits[3]) == 2


def test_a_filtered_scan_without_kept_columns_counts_rows() -> None:
    context = Context()
    node = scan(context, filters=True, keep=())
    count = Measure(Field(ColumnId(9), "n", pa.int64()), "count_star", None)
    assert run(GroupBy(node, GroupPhase.FINAL, (), (count,)), context).column("n").to_pylist() == [19]


def test_constant_rows_come_from_the_first_task_only() -> None:
    fields = (Field(ColumnId(1), "x", pa.int64()),)
    node = ValuesRows(fields, pa.record_batch({"x": range(20)}))
    assert run(node, Context(task=0)).column("x").to_pylist() == list(range(20))
    assert run(node, Context(task=1)).num_rows == 0


def test_one_row_without_columns_can_be_projected() -> None:
    one = pa.RecordBatch.from_struct_array(pa.array([{}], pa.struct([])))
    literal = Item(Field(ColumnId(1), "x", pa.int64()), Literal(pa.scalar(7)))
    assert run(ProjectColumns(ValuesRows((), one), (literal,)), Context()).to_pylist() == [{"x": 7}]


def test_filter_keeps_rows_where_the_predicate_is_true_not_null() -> None:
    context = Context()
    source = Tables(context).edge(ROWS)
    same = Call("equal", (source.fields[1].column(), Literal(pa.scalar("b1"))), pa.bool_())
    got = run(FilterRows(source, same), context)
    assert set(got.column("b").to_pylist()) == {"b1"}
    assert got.num_rows == ROWS.column("b").to_pylist().count("b1")


def test_small_batches_are_gathered_into_morsels() -> None:
    context = Context(morsel_rows=20)
    source = Tables(context).edge(ROWS, batch_rows=2)
    sizes = [b.num_rows for b in start(source, context)]
    assert sum(sizes) == 50
    assert min(sizes) >= 10


def test_projection_computes_and_passes_columns() -> None:
    context = Context()
    source = Tables(context).edge(ROWS)
    a, b = source.fields
    doubled = Call("greater", (a.column(), Literal(pa.scalar(3))), pa.bool_())
    node = ProjectColumns(source, (Item(b, b.column()), Item(Field(ColumnId(77), "big", pa.bool_()), doubled)))
    got = run(node, context)
    assert got.column_names == ["b", "big"]
    assert got.column("big").to_pylist() == [x > 3 for x in range(50)]


def test_union_matches_columns_by_position() -> None:
    context = Context()
    tables = Tables(context)
    first, second = tables.edge(ROWS.slice(0, 5)), tables.edge(ROWS.slice(5))
    fields = tables.fields(pa.schema([("x", pa.int64()), ("y", pa.string())]))
    got = run(UnionRows((first, second), fields), context)
    assert got.column_names == ["x", "y"]
    assert rows_of(got) == rows_of(ROWS)


def test_metrics_come_in_pre_order_and_times_exclude_inputs() -> None:
    context = Context()
    tables = Tables(context)
    node = UnionRows((LimitRows(tables.edge(ROWS), 10), tables.edge(ROWS)), tables.fields(ROWS.schema))
    fragment = start(node, context)
    list(fragment)
    assert [m.operator for m in fragment.metrics] == ["UnionRows", "LimitRows", "ReadExchange", "ReadExchange"]
    assert [m.rows for m in fragment.metrics][:2] == [60, 10]
    assert all(m.cpu_ns >= 0 and m.wait_ns >= 0 for m in fragment.metrics)
    assert fragment.metrics[3].bytes > 0


def test_cancelling_ends_a_pipeline_between_morsels_and_gives_memory_back() -> None:
    context = Context()
    context.cancel_after = 12
    source = Tables(context).edge(pa.table({"k": np.arange(10_000)}), batch_rows=10)
    count = Measure(Field(ColumnId(9), "n", pa.int64()), "count_star", None)
    fragment = start(GroupBy(source, GroupPhase.FINAL, source.fields, (count,)), context)
    with pytest.raises(Cancelled):
        list(fragment)
    fragment.close()
    assert context.held == 0
    assert context.closed == ["edge 1"]


def test_closing_a_fragment_that_never_ran_reads_nothing() -> None:
    context = Context()
    fragment = start(scan(context), context)
    fragment.close()
    assert list(fragment) == []
    assert len(context.splits[3]) == 3


def test_an_exchange_inside_a_fragment_is_refused() -> None:
    context = Context()
    source = Tables(context).edge(ROWS)
    with pytest.raises(InternalError, match="Exchange"):
        start(Exchange(source, Single()), context)


def test_an_edge_that_brings_other_columns_is_refused() -> None:
    context = Context()
    source = Tables(context).edge(ROWS)
    other = ReadExchange(source.edge, (Field(ColumnId(500), "z", pa.int64()),))
    with pytest.raises(InternalError, match="c500"):
        list(start(other, context))
