"""Sort orders, merges and top rows of arrays: stability, NULL placement, NaN, zeros, many runs."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from flightmesh.kernel.merge import merge_runs
from flightmesh.kernel.sort import SortKey, sort_indices
from flightmesh.kernel.topk import TopRows

FLOATS = st.none() | st.sampled_from([0.0, -0.0, math.nan, math.inf, -math.inf, 1.5, -1.5])
TEXTS = st.none() | st.sampled_from(["", "a", "A", "é", "z", "aa"])
ROWS = st.lists(st.tuples(FLOATS, TEXTS), max_size=40)
FLAGS = st.tuples(st.booleans(), st.booleans(), st.booleans(), st.booleans())


def batch_of(rows: list[tuple[float | None, str | None]]) -> pa.RecordBatch:
    numbers, texts = ([r[0] for r in rows], [r[1] for r in rows])
    ids = pa.array(range(len(rows)), pa.int64())
    return pa.record_batch({"x": pa.array(numbers, pa.float64()), "t": pa.array(texts, pa.string()), "id": ids})


def keys_of(flags: tuple[bool, bool, bool, bool]) -> list[SortKey]:
    return [SortKey("x", flags[0], flags[1]), SortKey("t", flags[2], flags[3])]


def place(value: Any, key: SortKey) -> tuple[Any, ...]:
    """What Python must sort by, ascending, to give the key's order."""
    if value is None:
        return (0 if key.nulls_first else 2,)
    if isinstance(value, str):
        ranks = [ord(c) + 1 for c in value.encode().decode("latin-1")] + [0] * (8 - len(value.encode()))
        return (1, *(-r if key.descending else r for r in ranks))
    rank = (1, 0.0) if math.isnan(value) else (0, value)
    return (1, *(-r for r in rank)) if key.descending else (1, *rank)


def expected(rows: list[tuple[float | None, str | None]], keys: list[SortKey]) -> list[int]:
    return sorted(range(len(rows)), key=lambda i: tuple(place(v, k) for v, k in zip(rows[i], keys, strict=True)))


@settings(max_examples=150, deadline=None)
@given(rows=ROWS, flags=FLAGS)
def test_sorting_is_stable_and_knows_nan_null_and_zero(rows: list[tuple[float | None, str | None]], flags: Any) -> None:
    keys = keys_of(flags)
    assert sort_indices(batch_of(rows), keys).to_pylist() == expected(rows, keys)


@settings(max_examples=150, deadline=None)
@given(rows=ROWS, flags=FLAGS, runs=st.integers(1, 6), size=st.integers(1, 7))
def test_merged_runs_are_the_sorted_whole(rows: Any, flags: Any, runs: int, size: int) -> None:
    keys = keys_of(flags)
    whole = batch_of(rows)
    share = -(-max(len(rows), 1) // runs)
    parts = []
    for number in range(runs):
        part = whole.slice(number * share, share)
        part = part.take(sort_indices(part, keys))
        parts.append(iter([part.slice(i, size) for i in range(0, max(part.num_rows, 1), size)]))
    merged = [i for batch in merge_runs(parts, keys) for i in batch.column("id").to_pylist()]
    assert merged == expected(rows, keys)


@settings(max_examples=150, deadline=None)
@given(rows=ROWS, flags=FLAGS, count=st.integers(0, 12), slack=st.integers(0, 10), size=st.integers(1, 20))
def test_top_rows_are_the_head_of_the_sorted_whole(rows: Any, flags: Any, count: int, slack: int, size: int) -> None:
    keys = keys_of(flags)
    whole = batch_of(rows)
    top = TopRows(keys, count, slack)
    for start in range(0, len(rows), size):
        top.add(whole.slice(start, size))
    assert top.result(whole.schema).column("id").to_pylist() == expected(rows, keys)[:count]


def test_top_rows_of_one_large_batch() -> None:
    values = np.random.default_rng(1).integers(0, 500, 10_000)
    batch = pa.record_batch({"v": values, "id": np.arange(10_000)})
    for descending in (False, True):
        top = TopRows([SortKey("v", descending), SortKey("id")], 50, 1000)
        top.add(batch)
        best = np.lexsort((np.arange(10_000), -values if descending else values))[:50]
        assert top.result(batch.schema).column("id").to_pylist() == best.tolist()


def test_no_keys_keep_the_order() -> None:
    assert sort_indices(pa.record_batch({"a": [3, 1]}), []).to_pylist() == [0, 1]
