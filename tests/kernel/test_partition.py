"""Hash partitioning: complete, disjoint, by key, in order, the same in every batch."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flightmesh.errors import InternalError
from flightmesh.kernel.partition import partition_batch
from tests.comparison import rows_of
from tests.random_tables import KINDS, random_column


@settings(max_examples=100, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    rows=st.sampled_from([0, 1, 5, 200]),
    kinds=st.lists(st.sampled_from(KINDS), min_size=1, max_size=3),
    buckets=st.sampled_from([1, 2, 7, 16, 300]),
)
def test_rows_are_dealt_once_in_order_and_by_key(seed: int, rows: int, kinds: list[str], buckets: int) -> None:
    rng = np.random.default_rng(seed)
    columns = {f"k{i}": random_column(rng, kind, rows, 12, 0.2) for i, kind in enumerate(kinds)}
    batch = pa.record_batch({**columns, "id": pa.array(range(rows), pa.int64())})
    parts = partition_batch(batch, list(columns), buckets)
    assert [number for number, _ in parts] == sorted({number for number, _ in parts})
    assert all(0 <= number < buckets and part.num_rows for number, part in parts)
    ids = [part.column("id").to_pylist() for _, part in parts]
    assert all(part == sorted(part) for part in ids)
    assert sorted(i for part in ids for i in part) == list(range(rows))
    seen: dict[object, int] = {}
    for number, part in parts:
        for key in rows_of(pa.Table.from_batches([part.select(list(columns))])):
            assert seen.setdefault(key, number) == number
    for number, part in parts:
        assert [n for n, _ in partition_batch(part.slice(0, 1), list(columns), buckets)] == [number]


def test_columns_that_are_not_keys_go_along() -> None:
    batch = pa.record_batch({"k": [1, 2, 1], "v": ["a", None, "c"]})
    dealt = {row for _, part in partition_batch(batch, ["k"], 4) for row in rows_of(pa.Table.from_batches([part]))}
    assert dealt == {(1, "a"), (2, None), (1, "c")}


def test_too_many_buckets_are_refused() -> None:
    with pytest.raises(InternalError, match="65536"):
        partition_batch(pa.record_batch({"k": [1]}), ["k"], 65_537)
