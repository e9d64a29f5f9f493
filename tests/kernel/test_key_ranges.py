"""Ranges of keys: every row in one of them, equal keys in the same, in order; only where keys come about in order."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from flightmesh.kernel.key_ranges import KeyRanges, clustered_ranges

LEAST, GREATEST = -(1 << 63), (1 << 63) - 1


def dealt(ranges: KeyRanges, keys: list[pa.Array]) -> list[list[tuple[Any, int]]]:
    """(key, number of the row) of each range, in order."""
    found: list[list[tuple[Any, int]]] = [[] for _ in range(ranges.count)]
    first = 0
    for key in keys:
        batch = pa.record_batch([key, pa.array(range(first, first + len(key)))], ["k", "row"])
        for number, rows in ranges.split(batch, batch.column("k")):
            found[number].extend(zip(rows.column("k").to_pylist(), rows.column("row").to_pylist(), strict=True))
        first += len(key)
    return found


@pytest.mark.parametrize("wanted", [2, 5, 16, 256, 1000])
@pytest.mark.parametrize(
    "keys",
    [
        [pa.array(range(n, n + 300)) for n in range(-500, 1600, 300)],
        [pa.array(np.random.default_rng(n).integers(n, n + 300, 200), pa.int32()) for n in range(0, 3000, 300)],
        [pa.array([datetime.date(2020, m, d) for d in range(1, 28)]) for m in range(1, 13)],
        [pa.array([LEAST, LEAST + 9]), pa.array([GREATEST]), pa.array([GREATEST - 1])],
        [pa.array([7, 7, 7])],
        [pa.array([250, 251], pa.uint8()), pa.array([3, 4], pa.uint8()), pa.array([0, 0, 1], pa.uint8())],
    ],
)
def test_every_row_is_in_the_range_of_its_key(keys: list[pa.Array], wanted: int) -> None:
    ranges = clustered_ranges(keys, wanted)
    assert ranges is not None
    assert ranges.count <= min(wanted, 256)
    found = dealt(ranges, keys)
    assert sorted(row for part in found for _, row in part) == list(range(sum(map(len, keys))))
    seen = [{key for key, _ in part} for part in found]
    assert sum(map(len, seen)) == len(set().union(*seen))
    for part in found:
        assert [row for _, row in part] == sorted(row for _, row in part)
    for below, above in zip((s for s in seen if s), [s for s in seen if s][1:], strict=False):
        assert max(below) < min(above)


def test_rows_in_order_are_not_copied() -> None:
    key = pa.array(range(100_000))
    ranges = clustered_ranges([key.slice(first, 1000) for first in range(0, 100_000, 1000)], 4)
    assert ranges is not None
    batch = pa.record_batch([key], ["k"])
    before = pa.total_allocated_bytes()
    parts = ranges.split(batch, key)
    assert pa.total_allocated_bytes() == before
    assert len(parts) == ranges.count == 4


@pytest.mark.parametrize(
    "keys",
    [
        [pa.array(np.random.default_rng(n).permutation(1000)) for n in range(9)],
        [pa.array(["a", "b"]), pa.array(["c"])],
        [pa.array([1.0]), pa.array([2.0])],
        [pa.array([1, None]), pa.array([2, 3])],
        [pa.array([1], pa.uint64()), pa.array([2], pa.uint64())],
        [pa.array([True]), pa.array([False])],
    ],
)
def test_other_keys_have_none(keys: list[pa.Array]) -> None:
    assert clustered_ranges(keys, 4) is None
