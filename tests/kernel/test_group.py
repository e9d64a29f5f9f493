"""Groups and aggregates of arrays: the ways that numbers are found, strings' extremes, exact sums, colliding hashes."""

from __future__ import annotations

import statistics

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import flightmesh.kernel.extremes as extremes
import flightmesh.kernel.group as module
from flightmesh.kernel.aggregate import aggregate
from flightmesh.kernel.group import Grouping, group_rows, one_group
from flightmesh.kernel.hash import hash_columns
from flightmesh.kernel.sort import SortKey, sort_indices
from tests.comparison import rows_of
from tests.random_tables import KINDS, random_column


@settings(max_examples=200, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    rows=st.sampled_from([1, 2, 30, 300]),
    kinds=st.lists(st.sampled_from(KINDS), min_size=1, max_size=3),
    distinct=st.sampled_from([1, 4, 50, 2000]),
    order=st.sampled_from(["random", "clustered", "sorted"]),
    absent=st.sampled_from([0, 0, 1, 2, 3]),
    colliding=st.booleans(),
    direct_size=st.sampled_from([0, 1 << 16]),
    table_rows=st.sampled_from([10, 1 << 18]),
)
def test_rows_share_a_group_exactly_when_their_keys_are_equal(
    seed: int,
    rows: int,
    kinds: list[str],
    distinct: int,
    order: str,
    absent: int,
    colliding: bool,
    direct_size: int,
    table_rows: int,
) -> None:
    rng = np.random.default_rng(seed)
    columns = [random_column(rng, kind, rows, distinct, 0.2) for kind in kinds]
    columns[:absent] = [pa.nulls(rows, column.type) for column in columns[:absent]]
    if order != "random":
        batch = pa.record_batch(columns, names=[f"k{i}" for i in range(len(kinds))])
        columns = batch.take(sort_indices(batch, [SortKey("k0")])).columns
    if order == "clustered":
        half = pa.array(np.r_[np.arange(rows // 2, rows), np.arange(rows // 2)])
        columns = [c.take(half) for c in columns]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "DIRECT_SIZE", direct_size)
        patch.setattr(module, "DIRECT_PER_ROW", 4 if direct_size else 0)
        patch.setattr(module, "TABLE_ROWS", table_rows)
        if colliding:
            patch.setattr(module, "hash_columns", lambda c: hash_columns(c) % np.uint64(5))
        grouping = group_rows(columns, rows)
    keys = rows_of(pa.table(columns, names=[str(i) for i in range(len(columns))]))
    groups: dict[object, set[int]] = {}
    for key, number in zip(keys, grouping.ids.tolist(), strict=True):
        groups.setdefault(key, set()).add(number)
    assert all(len(numbers) == 1 for numbers in groups.values())
    assert sorted(n for numbers in groups.values() for n in numbers) == list(range(grouping.count))
    assert grouping.ids[grouping.rows].tolist() == list(range(grouping.count))
    if grouping.starts is not None:
        assert (np.diff(grouping.ids) >= 0).all()
        assert grouping.starts.tolist() == [int(np.flatnonzero(grouping.ids == g)[0]) for g in range(grouping.count)]


def random_grouping(seed: int, rows: int, groups: int) -> Grouping:
    """At most so many groups, each with at least one row."""
    drawn = np.random.default_rng(seed).integers(0, groups, rows)
    return group_rows([pa.array(drawn)], rows) if rows else one_group(0)


@settings(max_examples=100, deadline=None)
@given(
    texts=st.lists(st.none() | st.binary(max_size=30) | st.sampled_from([b"same prefix 1", b"same prefix 10", b"", b"\0"])),
    count=st.sampled_from([1, 2, 5]),
    seed=st.integers(0, 100),
)
def test_extremes_of_strings_compare_bytes(texts: list[bytes | None], count: int, seed: int) -> None:
    grouping = random_grouping(seed, len(texts), count)
    ids, count = grouping.ids, grouping.count
    for function, best in (("min", min), ("max", max)):
        got = aggregate(function, grouping, pa.array(texts, pa.binary()), pa.binary()).to_pylist()
        members = [
            [t for t, g in zip(texts, ids.tolist(), strict=True) if g == number and t is not None] for number in range(count)
        ]
        assert got == [best(m) if m else None for m in members]


@pytest.mark.parametrize("direction", [1, -1])
@pytest.mark.parametrize("rounds", [1, 2, 32])
def test_extremes_end_whatever_the_order_of_the_values(direction: int, rounds: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extremes, "_ROUNDS", rounds)
    values = np.concatenate((np.arange(500), np.arange(500)[::-1]))[::direction]
    grouping = Grouping(np.arange(1000) % 3, 3, np.arange(3))
    for function, best in (("min", min), ("max", max)):
        got = aggregate(function, grouping, pa.array(values), pa.int64()).to_pylist()
        assert got == [best(values[g::3].tolist()) for g in range(3)]


@settings(max_examples=100, deadline=None)
@given(
    values=st.lists(st.none() | st.integers(-(2**63), 2**63 - 1) | st.integers(-100, 100), max_size=60),
    count=st.sampled_from([1, 3, 20]),
    seed=st.integers(0, 100),
    clustered=st.booleans(),
)
def test_sums_of_integers_are_exact(values: list[int | None], count: int, seed: int, clustered: bool) -> None:
    grouping = random_grouping(seed, len(values), count)
    if clustered:
        grouping = group_rows([pa.array(np.sort(grouping.ids))], len(values)) if values else one_group(0)
    count = grouping.count
    got = aggregate("sum", grouping, pa.array(values, pa.int64()), pa.decimal128(38, 0)).to_pylist()
    members = [
        [v for v, g in zip(values, grouping.ids.tolist(), strict=True) if g == n and v is not None] for n in range(count)
    ]
    assert [None if v is None else int(v) for v in got] == [sum(m) if m else None for m in members]


def test_float_sums_keep_nan_and_infinity() -> None:
    values = pa.array([float("inf"), 1.0, float("nan"), 2.0, None])
    grouping = Grouping(np.array([0, 0, 1, 1, 2]), 3, np.array([0, 2, 4]))
    got = aggregate("sum", grouping, values, pa.float64()).to_pylist()
    assert got[0] == float("inf")
    assert got[1] != got[1]
    assert got[2] is None


@settings(max_examples=80, deadline=None)
@given(
    values=st.lists(st.none() | st.integers(-1000, 1000), max_size=40),
    offset=st.sampled_from([0, 10**6]),
    count=st.sampled_from([1, 4]),
    seed=st.integers(0, 50),
)
def test_variances_are_those_of_the_definition(values: list[int | None], offset: int, count: int, seed: int) -> None:
    grouping = random_grouping(seed, len(values), count)
    array = pa.array([None if v is None else float(v + offset) for v in values], pa.float64())
    for function, exact in (("var_pop", statistics.pvariance), ("var_samp", statistics.variance)):
        got = aggregate(function, grouping, array, pa.float64()).to_pylist()
        for number in range(grouping.count):
            members = [v for v, g in zip(values, grouping.ids.tolist(), strict=True) if g == number and v is not None]
            enough = len(members) >= (2 if function == "var_samp" else 1)
            assert got[number] == (pytest.approx(float(exact(members)), abs=1e-6) if enough else None)


def test_the_variance_of_equal_values_is_zero() -> None:
    array = pa.array([0.1 + 1e9] * 1000)
    assert aggregate("stddev_samp", one_group(1000), array, pa.float64()).to_pylist() == [0.0]


def test_one_group_of_no_rows() -> None:
    nothing = pa.array([], pa.int64())
    assert aggregate("sum", one_group(0), nothing, pa.decimal128(38, 0)).to_pylist() == [None]
    assert aggregate("count", one_group(0), nothing, pa.int64()).to_pylist() == [0]
    assert aggregate("min", one_group(0), pa.array([], pa.string()), pa.string()).to_pylist() == [None]
    assert aggregate("bool_and", one_group(0), pa.array([], pa.bool_()), pa.bool_()).to_pylist() == [None]


@pytest.mark.parametrize("function", ["min", "max"])
def test_extremes_of_dictionaries_are_those_of_their_texts(function: str) -> None:
    """Entries in no order, some of no row, a group without values; also entries that stand twice, and a NULL."""
    texts = ["pear", "apple", "zebra", "Äpfel", "apple pie", ""]
    numbers = pa.array([0, 1, None, 3, 4, 0, 5, None, 3, 1], pa.int32())
    grouping = group_rows([pa.array([0, 0, 0, 1, 1, 1, 2, 3, 2, 2])], 10)
    for entries in (texts, [*texts[:4], "apple", None]):
        column = pa.DictionaryArray.from_arrays(numbers, pa.array(entries, pa.string()))
        got = aggregate(function, grouping, column, pa.string())
        assert got.equals(aggregate(function, grouping, column.cast(pa.string()), pa.string()))
        assert got.equals(aggregate(function, grouping, column.slice(0, 10), pa.string()))
    assert aggregate(function, group_rows([pa.array([7])], 1), column.slice(2, 1), pa.string()).to_pylist() == [None]
