"""The join index against DuckDB: every kind of index, NULLs, null-safe keys, windows of pairs, colliding hashes."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import flightmesh.kernel.join_index as module
from flightmesh.kernel.hash import hash_columns
from flightmesh.kernel.join_index import build_join_index
from flightmesh.kernel.lookup import all_pairs
from flightmesh.kernel.values import Array, Words
from tests.comparison import reference
from tests.random_tables import KINDS, random_column, random_nulls


def columns_of(table: pa.Table) -> list[Array]:
    return [table.column(name).combine_chunks() for name in table.column_names if name.startswith("k")]


def weak_hash(columns: list[Array]) -> Words:
    """Three different hashes for all keys, so that nearly all collide."""
    return (hash_columns(columns) % np.uint64(3)) << np.uint64(50)


@settings(max_examples=120, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    sizes=st.tuples(st.sampled_from([0, 1, 4, 40, 150]), st.sampled_from([0, 1, 4, 40, 150])),
    kinds=st.lists(st.sampled_from(KINDS), min_size=1, max_size=3),
    distinct=st.sampled_from([1, 4, 50, 2000]),
    safe=st.lists(st.booleans(), min_size=3, max_size=3),
    limit=st.sampled_from([1, 3, 1000]),
    colliding=st.booleans(),
    small_table=st.sampled_from([0, 1 << 16]),
)
def test_pairs_agree_with_duckdb(
    seed: int,
    sizes: tuple[int, int],
    kinds: list[str],
    distinct: int,
    safe: list[bool],
    limit: int,
    colliding: bool,
    small_table: int,
) -> None:
    rng = np.random.default_rng(seed)
    a, b = (
        pa.table(
            {
                f"id{s}": pa.array(range(rows), pa.int64()),
                **{f"k{i}": random_column(rng, kind, rows, distinct, random_nulls(rng)) for i, kind in enumerate(kinds)},
            }
        )
        for s, rows in enumerate(sizes)
    )
    safe = safe[: len(kinds)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "SMALL_TABLE", small_table)
        if colliding:
            patch.setattr(module, "hash_columns", weak_hash)
        found = build_join_index(columns_of(b), safe).lookup(columns_of(a), a.num_rows)
        windows = [list(zip(p.tolist(), q.tolist(), strict=True)) for p, q in found.pairs(limit)]
    pairs = [pair for window in windows for pair in window]
    on = " and ".join(f"a.k{i} {'is not distinct from' if s else '='} b.k{i}" for i, s in enumerate(safe))
    answer = reference(f"select id0, id1 from a join b on {on}", a=a, b=b)
    expected = list(zip(*(c.to_pylist() for c in answer.columns), strict=True))
    assert sorted(pairs) == sorted(expected)
    assert all(len(window) <= limit for window in windows)
    assert [p for p, _ in pairs] == sorted(p for p, _ in pairs)
    matched = {p for p, _ in expected}
    assert np.flatnonzero(found.matched()).tolist() == sorted(matched)
    first = found.first().tolist()
    assert all((i, row) in set(expected) if i in matched else row == -1 for i, row in enumerate(first))


@pytest.mark.parametrize(
    ("keys", "direct", "unique"),
    [
        (pa.array(range(1000, 5000)), True, True),
        (pa.array([7, 7, 9]), True, False),
        (pa.array([i * 10**6 for i in range(1000)]), False, True),
        (pa.array([f"key number {i}" for i in range(1000)]), False, True),
        (pa.array(["N", "R", "A"]), True, True),
        (pa.array(range(3), pa.int32()).cast(pa.date32()), True, True),
    ],
)
def test_the_kind_of_index_follows_the_keys(keys: Array, direct: bool, unique: bool) -> None:
    index = build_join_index([keys], [False])
    assert (index.table is None) == direct
    assert index.unique == unique
    assert index.nbytes < 64 * len(keys) + (1 << 19)


def test_two_integer_keys_pack_into_one() -> None:
    index = build_join_index([pa.array([1, 1, 2]), pa.array([5, 6, 5])], [False, False])
    assert index.packing is not None
    assert index.lookup([pa.array([1, 2, 2]), pa.array([6, 6, 5])], 3).first().tolist() == [1, -1, 2]


def test_probe_values_far_outside_the_range_do_not_wrap_into_it() -> None:
    index = build_join_index([pa.array([2**63 - 2, 2**63 - 1])], [False])
    probe = pa.array([-(2**63), 2**63 - 1, -1, 0, -(2**63) + 1])
    assert index.lookup([probe], 5).first().tolist() == [-1, 1, -1, -1, -1]


def test_all_pairs_of_nothing() -> None:
    assert list(all_pairs(0, 5).pairs(10)) == []
    assert list(all_pairs(5, 0).pairs(10)) == []
    assert [len(p) for p, _ in all_pairs(3, 5).pairs(4)] == [4, 4, 4, 3]


def test_building_a_large_table_takes_little_beside_it() -> None:
    """Codes, rows and the table are there together, and nothing else that has a value for every row."""
    rows = 1 << 22
    keys = pa.array(np.arange(rows) * 2)
    tracemalloc.start()
    try:
        index = build_join_index([keys], [False])
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert index.unique and index.table is None
    assert most < (8 + 4 + 2 * 4 + 5) * rows
