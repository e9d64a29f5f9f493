"""SortRows, TopRows, LimitRows and merging ReadExchange against DuckDB's ORDER BY."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flightmesh.errors import ResourceExhausted
from flightmesh.physical.operators import ColumnOrder, LimitRows, ReadExchange, SortRows, TopRows
from tests.comparison import assert_same_order, reference
from tests.fragment.harness import Context, Tables, batches_of, run, start
from tests.random_tables import KINDS, random_column, random_nulls

DIRECTIONS = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=3, max_size=3)


def make(seed: int, rows: int, kinds: tuple[str, ...], distinct: int) -> pa.Table:
    rng = np.random.default_rng(seed)
    columns = {f"k{i}": random_column(rng, kind, rows, distinct, random_nulls(rng)) for i, kind in enumerate(kinds)}
    return pa.table({**columns, "id": pa.array(range(rows), pa.int64())})


def order_of(source: ReadExchange, kinds: tuple[str, ...], directions: list[tuple[bool, bool]]) -> tuple[ColumnOrder, ...]:
    return tuple(ColumnOrder(source.fields[i].column(), *directions[i]) for i in range(len(kinds)))


def order_sql(kinds: tuple[str, ...], directions: list[tuple[bool, bool]]) -> str:
    parts = [
        f"k{i} {'desc' if down else 'asc'} nulls {'first' if first else 'last'}"
        for i, (down, first) in enumerate(directions[: len(kinds)])
    ]
    return ", ".join([*parts, "id"])


@settings(max_examples=70, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    rows=st.sampled_from([0, 1, 5, 40, 150]),
    kinds=st.lists(st.sampled_from(KINDS), min_size=1, max_size=3).map(tuple),
    distinct=st.sampled_from([1, 4, 100]),
    directions=DIRECTIONS,
    count=st.sampled_from([0, 1, 3, 20, 1000]),
    offset=st.sampled_from([0, 1, 8]),
    runs=st.sampled_from([1, 2, 5]),
)
def test_sort_top_limit_and_merge_agree_with_duckdb(
    seed: int,
    rows: int,
    kinds: tuple[str, ...],
    distinct: int,
    directions: list[tuple[bool, bool]],
    count: int,
    offset: int,
    runs: int,
) -> None:
    table = make(seed, rows, kinds, distinct)
    context = Context(morsel_rows=6)
    source = Tables(context).edge(table, batch_rows=7)
    order = order_of(source, kinds, directions)
    sorted_sql = f"select * from t order by {order_sql(kinds, directions)}"
    assert_same_order(run(SortRows(source, order), context), reference(sorted_sql, t=table))
    top = LimitRows(TopRows(source, order, count + offset), count, offset)
    assert_same_order(run(top, context), reference(f"{sorted_sql} limit {count} offset {offset}", t=table))
    share = -(-rows // runs)
    context.edges[source.edge] = [
        batches_of(run(SortRows(source_of(context, source, table.slice(i * share, share)), order), context), source.fields, 7)
        for i in range(runs)
    ]
    merged = ReadExchange(source.edge, source.fields, order)
    assert_same_order(run(merged, context), reference(sorted_sql, t=table))


def source_of(context: Context, source: ReadExchange, part: pa.Table) -> ReadExchange:
    """One producer's share of the rows, as an edge of its own with the same fields."""
    edge = type(source.edge)(1000)
    context.edges[edge] = [batches_of(part, source.fields, 7)]
    return ReadExchange(edge, source.fields)


def test_limit_stops_its_input_and_closes_it() -> None:
    context = Context()
    source = Tables(context).edge(pa.table({"v": range(1000)}), batch_rows=10)
    fragment = start(LimitRows(source, 15, 3), context)
    assert [v for b in fragment for v in b.column(0).to_pylist()] == list(range(3, 18))
    assert fragment.metrics[1].rows <= 30
    assert context.closed == ["edge 1"]


def test_limit_none_only_skips() -> None:
    context = Context()
    source = Tables(context).edge(pa.table({"v": range(10)}), batch_rows=4)
    assert run(LimitRows(source, None, 6), context).column("v").to_pylist() == [6, 7, 8, 9]


def test_a_sort_beyond_the_budget_is_a_clear_error() -> None:
    context = Context(budget=2000)
    source = Tables(context).edge(pa.table({"v": range(1000)}), batch_rows=10)
    with pytest.raises(ResourceExhausted, match="sorting"):
        run(SortRows(source, (ColumnOrder(source.fields[0].column()),)), context)
    assert context.held == 0


def test_top_holds_about_as_many_rows_as_it_keeps() -> None:
    context = Context(morsel_rows=50)
    rng = np.random.default_rng(5)
    source = Tables(context).edge(pa.table({"v": rng.permutation(20_000)}), batch_rows=50)
    got = run(TopRows(source, (ColumnOrder(source.fields[0].column(), True),), 10), context)
    assert got.column("v").to_pylist() == list(range(19_999, 19_989, -1))
    assert context.peak < 5_000
