"""GroupBy against DuckDB: one phase and two, all measures and key kinds, merges, giving up, distinct, overflow, no rows."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import flightmesh.fragment.group_by as module
from flightmesh.errors import DataError
from flightmesh.expression.nodes import Field
from flightmesh.fragment import group_parts
from flightmesh.ids import ColumnId
from flightmesh.kernel.batches import concat_batches
from flightmesh.kernel.sort import SortKey, sort_indices
from flightmesh.physical.measures import MERGED_BY
from flightmesh.physical.operators import GroupBy, GroupPhase, Measure, Operator
from tests.comparison import assert_same_rows, reference
from tests.fragment.harness import Context, Tables, field_named, run
from tests.random_tables import KINDS, random_column, random_nulls

SUMMABLE = ("int", "wide", "extreme", "small", "float", "decimal", "big_decimal")


def measures_of(rows: Operator, kinds: tuple[str, ...], distinct: bool) -> tuple[tuple[Measure, ...], list[str]]:
    """Every measure that fits each value column, and the SQL of each."""
    made: list[Measure] = []
    sql: list[str] = []

    def add(function: str, name: str | None, type_: pa.DataType, unique: bool = False) -> None:
        column = None if name is None else field_named(rows, name).column()
        made.append(Measure(Field(ColumnId(1000 + len(made)), f"m{len(made)}", type_), function, column, unique))
        text = "count(*)" if name is None else f"{function}({'distinct ' if unique else ''}{name})"
        sql.append(f"{text}::decimal(38,0)" if pa.types.is_decimal(type_) and type_.scale == 0 else text)

    add("count_star", None, pa.int64())
    for i, kind in enumerate(kinds):
        name = f"v{i}"
        type_ = field_named(rows, name).type
        add("count", name, pa.int64())
        if kind == "bool":
            add("bool_and", name, type_)
            add("bool_or", name, type_)
        add("min", name, type_)
        add("max", name, type_)
        if kind in SUMMABLE:
            exact = pa.decimal128(38, type_.scale if pa.types.is_decimal(type_) else 0)
            add("sum", name, pa.float64() if kind == "float" else exact)
            if distinct and kind != "big_decimal":
                add("sum", name, pa.float64() if kind == "float" else exact, True)
        if distinct:
            add("count", name, pa.int64(), True)
    return tuple(made), sql


@settings(max_examples=100, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    rows=st.sampled_from([0, 1, 4, 30, 200]),
    key_kinds=st.lists(st.sampled_from(KINDS), min_size=0, max_size=3).map(tuple),
    value_kinds=st.lists(st.sampled_from(KINDS), min_size=0, max_size=3).map(tuple),
    distinct_keys=st.sampled_from([1, 3, 20, 1000]),
    distinct=st.booleans(),
    two_phases=st.booleans(),
    clustered=st.booleans(),
    merge_rows=st.sampled_from([4, 20, 1 << 18]),
)
def test_groupings_agree_with_duckdb(
    seed: int,
    rows: int,
    key_kinds: tuple[str, ...],
    value_kinds: tuple[str, ...],
    distinct_keys: int,
    distinct: bool,
    two_phases: bool,
    clustered: bool,
    merge_rows: int,
) -> None:
    rng = np.random.default_rng(seed)
    table = pa.table(
        {
            **{f"k{i}": random_column(rng, k, rows, distinct_keys, random_nulls(rng)) for i, k in enumerate(key_kinds)},
            **{f"v{i}": random_column(rng, k, rows, 15, random_nulls(rng)) for i, k in enumerate(value_kinds)},
            "other": pa.array(range(rows), pa.int64()),
        }
    )
    if clustered and key_kinds:
        batch = concat_batches(table.to_batches(), table.schema)
        table = pa.Table.from_batches([batch.take(sort_indices(batch, [SortKey("k0")]))])
    context = Context(morsel_rows=9)
    source = Tables(context).edge(table, batch_rows=40)
    distinct = distinct and not two_phases
    measures, sql = measures_of(source, value_kinds, distinct)
    keys = tuple(field_named(source, f"k{i}") for i in range(len(key_kinds)))
    node = GroupBy(source, GroupPhase.FINAL, keys, measures)
    if two_phases:
        merging = tuple(Measure(m.field, MERGED_BY[m.function], m.field.column()) for m in measures)
        node = GroupBy(GroupBy(source, GroupPhase.PARTIAL, keys, measures), GroupPhase.FINAL, keys, merging)
    names = [f"k{i}" for i in range(len(key_kinds))]
    by = f"group by {', '.join(names)}" if names else ""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MERGE_ROWS", merge_rows)
        patch.setattr(group_parts, "RANGE_ROWS", merge_rows)
        patch.setattr(group_parts, "HASHED_ROWS", merge_rows)
        got = run(node, context)
    assert_same_rows(got, reference(f"select {', '.join([*names, *sql])} from t {by}", t=table))


def grouped(table: pa.Table, function: str, result: pa.DataType, context: Context, *, keys: int = 1) -> GroupBy:
    source = Tables(context).edge(table)
    measure = Measure(Field(ColumnId(1000), "m", result), function, source.fields[-1].column())
    return GroupBy(source, GroupPhase.FINAL, source.fields[:keys], (measure,))


def test_sums_of_int64_do_not_wrap() -> None:
    table = pa.table({"k": [1, 1, 2], "v": [2**63 - 1, 2**63 - 1, -(2**63)]})
    context = Context()
    got = run(grouped(table, "sum", pa.decimal128(38, 0), context), context)
    assert sorted(got.column("m").to_pylist()) == [Decimal(-(2**63)), Decimal(2**64 - 2)]


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("keys", [0, 1])
def test_a_decimal_sum_past_38_digits_is_an_error_that_names_the_argument(sign: int, keys: int) -> None:
    number = sign * (10**38 - 1)
    largest = Decimal(number)
    table = pa.table({"k": [1, 1], "amount": pa.array([largest, Decimal(sign)], pa.decimal128(38, 0))})
    context = Context()
    with pytest.raises(DataError, match=r"sum\(amount\).*overflows decimal128\(38, 0\)"):
        run(grouped(table, "sum", pa.decimal128(38, 0), context, keys=keys), context)
    assert context.held == 0
    safe = pa.table({"k": [1, 1], "amount": pa.array([largest, Decimal(-sign)], pa.decimal128(38, 0))})
    context = Context()
    got = run(grouped(safe, "sum", pa.decimal128(38, 0), context, keys=keys), context)
    assert got.column("m").to_pylist() == [Decimal(number - sign)]


@pytest.mark.parametrize("function", ["var_pop", "var_samp", "stddev_pop", "stddev_samp", "first"])
@pytest.mark.parametrize("nulls", [0.0, 0.3])
def test_aggregates_that_cannot_be_merged_see_whole_groups(function: str, nulls: float) -> None:
    rng = np.random.default_rng(3)
    table = pa.table({"k": rng.integers(0, 40, 300), "v": pa.array(1e9 + rng.random(300), mask=rng.random(300) < nulls)})
    context = Context(morsel_rows=11)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(group_parts, "RANGE_ROWS", 20)
        patch.setattr(group_parts, "HASHED_ROWS", 20)
        got = run(grouped(table, function, pa.float64(), context), context)
    order = "order by id" if function == "first" else ""
    answer = reference(f"select k, {function}(v {order}) from t group by k", t=table.append_column("id", [range(300)]))
    mine = dict(zip(*(c.to_pylist() for c in got.columns), strict=True))
    theirs = dict(zip(*(c.to_pylist() for c in answer.columns), strict=True))
    assert mine == {k: v if v is None else pytest.approx(v, rel=1e-5) for k, v in theirs.items()}


def test_any_value_is_the_first_that_is_not_null() -> None:
    table = pa.table({"k": [1, 2, 1, 1, 2], "v": ["", None, "b", "c", None]})
    table = table.set_column(1, "v", pa.array([None, None, "b", "c", None]))
    context = Context()
    got = run(grouped(table, "any_value", pa.string(), context), context)
    assert dict(zip(got.column("k").to_pylist(), got.column("m").to_pylist(), strict=True)) == {1: "b", 2: None}


@pytest.mark.parametrize("phase", list(GroupPhase))
def test_without_keys_and_rows_there_is_one_row(phase: GroupPhase) -> None:
    context = Context()
    source = Tables(context).edge(pa.table({"v": pa.array([], pa.int32()), "s": pa.array([], pa.string())}))
    column = source.fields[0].column()
    made = [
        Measure(Field(ColumnId(10), "n", pa.int64()), "count_star", None),
        Measure(Field(ColumnId(11), "c", pa.int64()), "count", column),
        Measure(Field(ColumnId(12), "t", pa.decimal128(38, 0)), "sum", column),
        Measure(Field(ColumnId(13), "m", pa.string()), "max", source.fields[1].column()),
    ]
    got = run(GroupBy(source, phase, (), tuple(made)), context)
    assert got.to_pylist() == [{"n": 0, "c": 0, "t": None, "m": None}]


def test_count_star_over_batches_without_columns() -> None:
    context = Context()
    source = Tables(context).edge(pa.table({"v": range(23)}))
    context.edges[source.edge] = [[b.select([]) for b in context.edges[source.edge][0]]]
    bare = type(source)(source.edge, ())
    node = GroupBy(bare, GroupPhase.FINAL, (), (Measure(Field(ColumnId(10), "n", pa.int64()), "count_star", None),))
    assert run(node, context).column("n").to_pylist() == [23]


def test_a_partial_phase_that_reduces_nothing_passes_rows_on_and_holds_little() -> None:
    context = Context(morsel_rows=100)
    table = pa.table({"k": pa.array(range(5000)), "v": pa.array(range(5000))})
    source = Tables(context).edge(table, batch_rows=100)
    measure = Measure(Field(ColumnId(10), "m", pa.decimal128(38, 0)), "sum", source.fields[1].column())
    node = GroupBy(source, GroupPhase.PARTIAL, source.fields[:1], (measure,))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MERGE_ROWS", 500)
        got = run(node, context)
    assert got.num_rows == 5000
    assert context.peak < 40_000, "the partial phase collected its input"


@pytest.mark.parametrize("expected", [50.0, 4000.0, None])
@pytest.mark.parametrize("distinct", [7, 3000, 1 << 40])
def test_a_partial_phase_gives_up_at_once_where_planner_and_first_rows_agree(expected: float | None, distinct: int) -> None:
    context = Context(morsel_rows=100)
    rng = np.random.default_rng(distinct)
    table = pa.table({"k": rng.integers(0, distinct, 4000), "v": rng.integers(-9, 9, 4000)})
    source = replace(Tables(context).edge(table, batch_rows=100), estimate=4000.0)
    measure = Measure(Field(ColumnId(10), "m", pa.decimal128(38, 0)), "sum", source.fields[1].column())
    node = GroupBy(source, GroupPhase.PARTIAL, source.fields[:1], (measure,), expected)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "TRIED_ROWS", 200)
        got = run(node, context)
    given_up = expected == 4000.0 and distinct > 7
    assert (context.peak < 20_000) == given_up or distinct == 7
    assert got.num_rows == 4000 if given_up and distinct > 4000 else got.num_rows <= 4000
    sums = "select k, sum(v)::decimal(38,0) as v from t group by k"
    assert_same_rows(
        pa.table(reference("select k, sum(m)::decimal(38,0) as v from t group by k", t=got)), reference(sums, t=table)
    )
